-- CreateTable
CREATE TABLE "audit_entries" (
    "tenant_id" UUID NOT NULL,
    "number" BIGINT NOT NULL,
    "id" UUID NOT NULL,
    "actor_id" UUID,
    "actor_name" TEXT,
    "actor_role" TEXT,
    "action" TEXT NOT NULL,
    "target_type" TEXT NOT NULL,
    "target_id" TEXT,
    "metadata" JSONB NOT NULL,
    "request_id" TEXT NOT NULL,
    "address" TEXT,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "previous_hash" TEXT NOT NULL,
    "hash" TEXT NOT NULL,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("tenant_id","number")
);

-- CreateTable
CREATE TABLE "audit_heads" (
    "tenant_id" UUID NOT NULL,
    "number" BIGINT NOT NULL,
    "hash" TEXT NOT NULL DEFAULT '',
    "at" TIMESTAMPTZ(3) NOT NULL,
    "cut_number" BIGINT NOT NULL DEFAULT 0,
    "cut_hash" TEXT NOT NULL DEFAULT '',

    CONSTRAINT "audit_heads_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateTable
CREATE TABLE "audit_sign_ins" (
    "tenant_id" UUID NOT NULL,
    "token_hash" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "audit_sign_ins_pkey" PRIMARY KEY ("tenant_id","token_hash")
);

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_created_at_number_idx" ON "audit_entries"("tenant_id", "created_at", "number");

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_actor_id_number_idx" ON "audit_entries"("tenant_id", "actor_id", "number");

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_action_number_idx" ON "audit_entries"("tenant_id", "action", "number");

-- CreateIndex
CREATE INDEX "audit_entries_tenant_id_target_id_number_idx" ON "audit_entries"("tenant_id", "target_id", "number");

-- CreateIndex
CREATE INDEX "audit_sign_ins_tenant_id_expires_at_idx" ON "audit_sign_ins"("tenant_id", "expires_at");

-- AddForeignKey
ALTER TABLE "audit_entries" ADD CONSTRAINT "audit_entries_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "audit_heads" ADD CONSTRAINT "audit_heads_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE RESTRICT ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "audit_sign_ins" ADD CONSTRAINT "audit_sign_ins_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Append-only also for the owner of the tables, whatever session_replication_role says. What has been purged is the one
-- exception: entries up to the cut may go, and the cut only moves to where an entry `audit.purge` of the chain says so.
CREATE FUNCTION audit_entries_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND EXISTS (
    SELECT FROM audit_heads h WHERE h.tenant_id = OLD.tenant_id AND OLD.number <= h.cut_number
  ) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION audit_heads_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id AND NEW.number >= OLD.number THEN
    IF NEW.cut_number = OLD.cut_number AND NEW.cut_hash = OLD.cut_hash THEN
      RETURN NEW;
    END IF;
    IF NEW.cut_number > OLD.cut_number AND EXISTS (
      SELECT FROM audit_entries e
      WHERE e.tenant_id = NEW.tenant_id AND e.number = NEW.cut_number AND e.hash = NEW.cut_hash
    ) AND EXISTS (
      SELECT FROM audit_entries e
      WHERE e.tenant_id = NEW.tenant_id AND e.number > NEW.cut_number AND e.number <= NEW.number
        AND e.action = 'audit.purge'
        AND e.metadata->>'cutNumber' = NEW.cut_number::text AND e.metadata->>'cutHash' = NEW.cut_hash
    ) THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE TRIGGER audit_entries_keep BEFORE UPDATE OR DELETE ON "audit_entries"
  FOR EACH ROW EXECUTE FUNCTION audit_entries_guard();
CREATE TRIGGER audit_entries_no_truncate BEFORE TRUNCATE ON "audit_entries"
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_heads_keep BEFORE UPDATE OR DELETE ON "audit_heads"
  FOR EACH ROW EXECUTE FUNCTION audit_heads_guard();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON "audit_heads"
  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

ALTER TABLE "audit_entries" ENABLE ALWAYS TRIGGER audit_entries_keep;
ALTER TABLE "audit_entries" ENABLE ALWAYS TRIGGER audit_entries_no_truncate;
ALTER TABLE "audit_heads" ENABLE ALWAYS TRIGGER audit_heads_keep;
ALTER TABLE "audit_heads" ENABLE ALWAYS TRIGGER audit_heads_no_truncate;
