import { mapErrors } from './failures.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from './migrate.ts';
import { createRetentionActivities, type RetentionActivitiesDependencies } from './retention.ts';
import { createRolloutActivities, type RolloutActivitiesDependencies } from './rollout.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from './upload.ts';

export type ActivityDependencies = UploadActivitiesDependencies &
  MigrateActivitiesDependencies &
  RetentionActivitiesDependencies &
  RolloutActivitiesDependencies;

export function createActivities(dependencies: ActivityDependencies) {
  return mapErrors({
    ...createUploadActivities(dependencies),
    ...createMigrateActivities(dependencies),
    ...createRetentionActivities(dependencies),
    ...createRolloutActivities(dependencies),
  });
}
export type Activities = ReturnType<typeof createActivities>;
