-- CreateEnum
CREATE TYPE "actor_kind" AS ENUM ('USER', 'SERVICE_ACCOUNT', 'CONTACT');

-- CreateEnum
CREATE TYPE "tenant_role" AS ENUM ('ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE');

-- CreateEnum
CREATE TYPE "room_kind" AS ENUM ('DIRECT', 'GROUP', 'CHANNEL', 'CONVERSATION');

-- CreateEnum
CREATE TYPE "room_role" AS ENUM ('OWNER', 'MODERATOR', 'MEMBER');

-- CreateEnum
CREATE TYPE "message_kind" AS ENUM ('TEXT', 'MENTION', 'FILE', 'SYSTEM');

-- CreateEnum
CREATE TYPE "system_event" AS ENUM ('MEMBER_JOINED', 'MEMBER_LEFT', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'ROOM_RENAMED', 'TOPIC_CHANGED', 'ROOM_ARCHIVED', 'ROOM_UNARCHIVED', 'OTHER');

-- CreateEnum
CREATE TYPE "room_change_kind" AS ENUM ('MESSAGE_EDITED', 'MESSAGE_DELETED', 'MEMBER_ADDED', 'MEMBER_UPDATED', 'MEMBER_REMOVED', 'ROOM_UPDATED');

-- CreateTable
CREATE TABLE "tenants" (
    "id" UUID NOT NULL,
    "key" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "actors" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "kind" "actor_kind" NOT NULL,
    "subject" TEXT,
    "role" "tenant_role",
    "name" TEXT NOT NULL,
    "email" TEXT,
    "picture_url" TEXT,
    "deactivated_at" TIMESTAMPTZ(3),
    "last_seen_at" TIMESTAMPTZ(3),
    "membership_version" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "actors_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "rooms" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "kind" "room_kind" NOT NULL,
    "name" TEXT,
    "topic" TEXT,
    "creator_id" UUID,
    "direct_key" TEXT,
    "version" BIGINT NOT NULL DEFAULT 0,
    "log_floor" BIGINT NOT NULL DEFAULT 0,
    "message_count" BIGINT NOT NULL DEFAULT 0,
    "last_message_seq" BIGINT,
    "last_activity_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "archived_at" TIMESTAMPTZ(3),

    CONSTRAINT "rooms_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "members" (
    "tenant_id" UUID NOT NULL,
    "room_id" UUID NOT NULL,
    "actor_id" UUID NOT NULL,
    "role" "room_role" NOT NULL,
    "muted" BOOLEAN NOT NULL DEFAULT false,
    "joined_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "joined_version" BIGINT NOT NULL DEFAULT 0,
    "last_read_seq" BIGINT NOT NULL DEFAULT 0,
    "last_read_at" TIMESTAMPTZ(3),
    "read_count" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "members_pkey" PRIMARY KEY ("tenant_id","room_id","actor_id")
);

-- CreateTable
CREATE TABLE "messages" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "room_id" UUID NOT NULL,
    "seq" BIGINT NOT NULL,
    "kind" "message_kind" NOT NULL,
    "system_event" "system_event",
    "author_id" UUID NOT NULL,
    "body" TEXT NOT NULL,
    "nonce" TEXT,
    "reply_to_id" UUID,
    "mentions_room" BOOLEAN NOT NULL DEFAULT false,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "edited_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "messages_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "message_edits" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "message_id" UUID NOT NULL,
    "editor_id" UUID NOT NULL,
    "body" TEXT NOT NULL,
    "replaced_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "message_edits_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "mentions" (
    "tenant_id" UUID NOT NULL,
    "message_id" UUID NOT NULL,
    "actor_id" UUID NOT NULL,

    CONSTRAINT "mentions_pkey" PRIMARY KEY ("tenant_id","message_id","actor_id")
);

-- CreateTable
CREATE TABLE "room_changes" (
    "tenant_id" UUID NOT NULL,
    "room_id" UUID NOT NULL,
    "version" BIGINT NOT NULL,
    "kind" "room_change_kind" NOT NULL,
    "actor_id" UUID NOT NULL,
    "message_id" UUID,
    "member_id" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),

    CONSTRAINT "room_changes_pkey" PRIMARY KEY ("tenant_id","room_id","version")
);

-- CreateIndex
CREATE UNIQUE INDEX "tenants_key_key" ON "tenants"("key");

-- CreateIndex
CREATE INDEX "actors_tenant_id_name_id_idx" ON "actors"("tenant_id", "name", "id");

-- CreateIndex
CREATE INDEX "actors_tenant_id_email_idx" ON "actors"("tenant_id", "email");

-- CreateIndex
CREATE UNIQUE INDEX "actors_tenant_id_subject_key" ON "actors"("tenant_id", "subject");

-- CreateIndex
CREATE INDEX "rooms_tenant_id_kind_idx" ON "rooms"("tenant_id", "kind");

-- CreateIndex
CREATE UNIQUE INDEX "rooms_tenant_id_direct_key_key" ON "rooms"("tenant_id", "direct_key");

-- CreateIndex
CREATE INDEX "members_tenant_id_actor_id_room_id_idx" ON "members"("tenant_id", "actor_id", "room_id");

-- CreateIndex
CREATE INDEX "members_tenant_id_room_id_joined_at_actor_id_idx" ON "members"("tenant_id", "room_id", "joined_at", "actor_id");

-- CreateIndex
CREATE INDEX "messages_tenant_id_reply_to_id_seq_idx" ON "messages"("tenant_id", "reply_to_id", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "messages_tenant_id_room_id_seq_key" ON "messages"("tenant_id", "room_id", "seq");

-- CreateIndex
CREATE UNIQUE INDEX "messages_tenant_id_room_id_author_id_nonce_key" ON "messages"("tenant_id", "room_id", "author_id", "nonce");

-- CreateIndex
CREATE INDEX "message_edits_tenant_id_message_id_replaced_at_idx" ON "message_edits"("tenant_id", "message_id", "replaced_at");

-- CreateIndex
CREATE INDEX "mentions_tenant_id_actor_id_message_id_idx" ON "mentions"("tenant_id", "actor_id", "message_id");

-- AddForeignKey
ALTER TABLE "actors" ADD CONSTRAINT "actors_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rooms" ADD CONSTRAINT "rooms_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rooms" ADD CONSTRAINT "rooms_tenant_id_creator_id_fkey" FOREIGN KEY ("tenant_id", "creator_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "members" ADD CONSTRAINT "members_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "members" ADD CONSTRAINT "members_tenant_id_room_id_fkey" FOREIGN KEY ("tenant_id", "room_id") REFERENCES "rooms"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "members" ADD CONSTRAINT "members_tenant_id_actor_id_fkey" FOREIGN KEY ("tenant_id", "actor_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_tenant_id_room_id_fkey" FOREIGN KEY ("tenant_id", "room_id") REFERENCES "rooms"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_tenant_id_author_id_fkey" FOREIGN KEY ("tenant_id", "author_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_tenant_id_reply_to_id_fkey" FOREIGN KEY ("tenant_id", "reply_to_id") REFERENCES "messages"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "message_edits" ADD CONSTRAINT "message_edits_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "message_edits" ADD CONSTRAINT "message_edits_tenant_id_message_id_fkey" FOREIGN KEY ("tenant_id", "message_id") REFERENCES "messages"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "message_edits" ADD CONSTRAINT "message_edits_tenant_id_editor_id_fkey" FOREIGN KEY ("tenant_id", "editor_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "mentions" ADD CONSTRAINT "mentions_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "mentions" ADD CONSTRAINT "mentions_tenant_id_message_id_fkey" FOREIGN KEY ("tenant_id", "message_id") REFERENCES "messages"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "mentions" ADD CONSTRAINT "mentions_tenant_id_actor_id_fkey" FOREIGN KEY ("tenant_id", "actor_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- AddForeignKey
ALTER TABLE "room_changes" ADD CONSTRAINT "room_changes_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "room_changes" ADD CONSTRAINT "room_changes_tenant_id_room_id_fkey" FOREIGN KEY ("tenant_id", "room_id") REFERENCES "rooms"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "room_changes" ADD CONSTRAINT "room_changes_tenant_id_actor_id_fkey" FOREIGN KEY ("tenant_id", "actor_id") REFERENCES "actors"("tenant_id", "id") ON DELETE NO ACTION ON UPDATE NO ACTION;

-- Every send updates its room's row and its author's membership. Room on their pages lets PostgreSQL do that in place,
-- without touching an index.
ALTER TABLE "rooms" SET (fillfactor = 50);
ALTER TABLE "members" SET (fillfactor = 70);
