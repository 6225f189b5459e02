import { checkMigrations } from '../authorMigration.ts';

try {
  const missing = await checkMigrations();
  if (missing === null) {
    console.log('the migrations lead to prisma/schema.prisma');
  } else {
    console.error(
      `prisma/schema.prisma is ahead of the migrations: npm run db:migration -- NAME would write\n\n${missing}`,
    );
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
