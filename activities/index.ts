import { type BackfillActivitiesDependencies, createBackfillActivities } from './backfill.ts';
import { mapErrors } from './failures.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from './migrate.ts';
import { createReconcileActivities, type ReconcileActivitiesDependencies } from './reconcile.ts';
import { createRolloutActivities, type RolloutActivitiesDependencies } from './rollout.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from './upload.ts';

export type ActivityDependencies = UploadActivitiesDependencies &
  MigrateActivitiesDependencies &
  RolloutActivitiesDependencies &
  ReconcileActivitiesDependencies &
  BackfillActivitiesDependencies;

export function createActivities(dependencies: ActivityDependencies) {
  return mapErrors({
    ...createUploadActivities(dependencies),
    ...createMigrateActivities(dependencies),
    ...createRolloutActivities(dependencies),
    ...createReconcileActivities(dependencies),
    ...createBackfillActivities(dependencies),
  });
}
export type Activities = ReturnType<typeof createActivities>;
