import { type BackfillActivitiesDependencies, createBackfillActivities } from './backfill.ts';
import { mapErrors } from './failures.ts';
import { createMigrateActivities, type MigrateActivitiesDependencies } from './migrate.ts';
import { createMirrorActivities, type MirrorActivitiesDependencies } from './mirror.ts';
import { createReconcileActivities, type ReconcileActivitiesDependencies } from './reconcile.ts';
import { createRetentionActivities, type RetentionActivitiesDependencies } from './retention.ts';
import { createRolloutActivities, type RolloutActivitiesDependencies } from './rollout.ts';
import { createShadowActivities, type ShadowActivitiesDependencies } from './shadow.ts';
import { createUploadActivities, type UploadActivitiesDependencies } from './upload.ts';

export type ActivityDependencies = UploadActivitiesDependencies &
  MigrateActivitiesDependencies &
  RolloutActivitiesDependencies &
  ShadowActivitiesDependencies &
  MirrorActivitiesDependencies &
  RetentionActivitiesDependencies &
  ReconcileActivitiesDependencies &
  BackfillActivitiesDependencies;

export function createActivities(dependencies: ActivityDependencies) {
  return mapErrors({
    ...createUploadActivities(dependencies),
    ...createMigrateActivities(dependencies),
    ...createRetentionActivities(dependencies),
    ...createRolloutActivities(dependencies),
    ...createShadowActivities(dependencies),
    ...createMirrorActivities(dependencies),
    ...createReconcileActivities(dependencies),
    ...createBackfillActivities(dependencies),
  });
}
export type { LegacyActivities } from './legacy.ts';
export type Activities = ReturnType<typeof createActivities>;
