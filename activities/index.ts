import { mapErrors } from './failures.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from './migrate.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from './upload.ts';

export type ActivityDependencies = UploadActivitiesDependencies & MigrateActivitiesDependencies;

export function createActivities(dependencies: ActivityDependencies) {
  return mapErrors({ ...createUploadActivities(dependencies), ...createMigrateActivities(dependencies) });
}
export type Activities = ReturnType<typeof createActivities>;
