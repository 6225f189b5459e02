-- CreateEnum
CREATE TYPE "purge_mode" AS ENUM ('SOFT', 'PERMANENT');

-- CreateEnum
CREATE TYPE "purge_status" AS ENUM ('QUEUED', 'RUNNING', 'DONE', 'CANCELLED', 'FAILED', 'UNDOING', 'UNDONE');

-- AlterEnum
-- This migration adds more than one value to an enum.
-- With PostgreSQL versions 11 and earlier, this is not possible
-- in a single migration. This can be worked around by creating
-- multiple migrations, each migration adding only one value to
-- the enum.


ALTER TYPE "room_change_kind" ADD VALUE 'MESSAGES_PURGED';
ALTER TYPE "room_change_kind" ADD VALUE 'MESSAGES_RESTORED';
ALTER TYPE "room_change_kind" ADD VALUE 'MESSAGE_REMOVED';

-- AlterTable
ALTER TABLE "messages" ADD COLUMN     "purge_id" UUID;

-- AlterTable
ALTER TABLE "room_changes" ADD COLUMN     "purge_before" TIMESTAMPTZ(3),
ADD COLUMN     "purge_complete" BOOLEAN,
ADD COLUMN     "purge_mode" "purge_mode",
ALTER COLUMN "actor_id" DROP NOT NULL;

-- CreateTable
CREATE TABLE "purges" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "key" TEXT,
    "creator_id" UUID,
    "room_id" UUID,
    "mode" "purge_mode" NOT NULL,
    "before" TIMESTAMPTZ(3) NOT NULL,
    "status" "purge_status" NOT NULL DEFAULT 'QUEUED',
    "estimate" BIGINT,
    "rows" BIGINT NOT NULL DEFAULT 0,
    "restored" BIGINT NOT NULL DEFAULT 0,
    "at_room_id" UUID,
    "at_created_at" TIMESTAMPTZ(3),
    "at_seq" BIGINT,
    "at_rows" BIGINT NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "failure" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "queued_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "touched_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "purges_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "tenant_policies" (
    "tenant_id" UUID NOT NULL,
    "retention_days" INTEGER,
    "retention_mode" "purge_mode",
    "held_at" TIMESTAMPTZ(3),
    "held_by_id" UUID,
    "hold_reason" TEXT,

    CONSTRAINT "tenant_policies_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateTable
CREATE TABLE "room_policies" (
    "tenant_id" UUID NOT NULL,
    "room_id" UUID NOT NULL,
    "retention_days" INTEGER,
    "retention_mode" "purge_mode",
    "held_at" TIMESTAMPTZ(3),
    "held_by_id" UUID,
    "hold_reason" TEXT,

    CONSTRAINT "room_policies_pkey" PRIMARY KEY ("tenant_id","room_id")
);

-- CreateIndex
CREATE INDEX "purges_tenant_id_created_at_id_idx" ON "purges"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "purges_status_tenant_id_queued_at_idx" ON "purges"("status", "tenant_id", "queued_at");

-- CreateIndex
CREATE UNIQUE INDEX "purges_tenant_id_key_key" ON "purges"("tenant_id", "key");

-- CreateIndex
CREATE INDEX "messages_tenant_id_room_id_created_at_seq_idx" ON "messages"("tenant_id", "room_id", "created_at", "seq");

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_tenant_id_purge_id_fkey" FOREIGN KEY ("tenant_id", "purge_id") REFERENCES "purges"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "purges" ADD CONSTRAINT "purges_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "purges" ADD CONSTRAINT "purges_tenant_id_creator_id_fkey" FOREIGN KEY ("tenant_id", "creator_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "purges" ADD CONSTRAINT "purges_tenant_id_room_id_fkey" FOREIGN KEY ("tenant_id", "room_id") REFERENCES "rooms"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "tenant_policies" ADD CONSTRAINT "tenant_policies_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tenant_policies" ADD CONSTRAINT "tenant_policies_tenant_id_held_by_id_fkey" FOREIGN KEY ("tenant_id", "held_by_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "room_policies" ADD CONSTRAINT "room_policies_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "room_policies" ADD CONSTRAINT "room_policies_tenant_id_room_id_fkey" FOREIGN KEY ("tenant_id", "room_id") REFERENCES "rooms"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "room_policies" ADD CONSTRAINT "room_policies_tenant_id_held_by_id_fkey" FOREIGN KEY ("tenant_id", "held_by_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;
