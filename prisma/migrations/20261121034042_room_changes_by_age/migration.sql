-- CreateIndex
CREATE INDEX "room_changes_created_at_idx" ON "room_changes"("created_at");
