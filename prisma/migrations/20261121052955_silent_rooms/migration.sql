-- AlterTable
ALTER TABLE "tenant_policies" ADD COLUMN     "silence_noted" TIMESTAMPTZ(3),
ADD COLUMN     "silent_days" INTEGER;
