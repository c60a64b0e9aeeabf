import { mapErrors } from './failures.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from './migrate.ts';
import { createRolloutActivities, type RolloutActivitiesDependencies } from './rollout.ts';
import { createShadowActivities, type ShadowActivitiesDependencies } from './shadow.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from './upload.ts';

export type ActivityDependencies = UploadActivitiesDependencies &
  MigrateActivitiesDependencies &
  RolloutActivitiesDependencies &
  ShadowActivitiesDependencies;

export function createActivities(dependencies: ActivityDependencies) {
  return mapErrors({
    ...createUploadActivities(dependencies),
    ...createMigrateActivities(dependencies),
    ...createRolloutActivities(dependencies),
    ...createShadowActivities(dependencies),
  });
}
export type Activities = ReturnType<typeof createActivities>;
