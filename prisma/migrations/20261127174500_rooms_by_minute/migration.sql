-- The minute of the last activity. A room's row is updated with each send, and PostgreSQL does that in place as long as
-- no indexed value changes: this one changes once a minute at most.
ALTER TABLE "rooms" ADD COLUMN "active_minute" TIMESTAMPTZ(3) NOT NULL
  GENERATED ALWAYS AS (date_bin('1 minute', last_activity_at, TIMESTAMPTZ 'epoch')) STORED;

-- CreateIndex
CREATE INDEX "rooms_tenant_id_active_minute_idx" ON "rooms"("tenant_id", "active_minute");
