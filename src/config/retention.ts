import { z } from 'zod';
import { float, integer } from './parsers.ts';
import { setting } from './setting.ts';

/** A second, in days: less than that would be nothing. */
const SHORTEST_DAYS = 0.00001;
const days = (min: number) => float({ min, max: 36_500 });

/** When files go. Fractions of days are allowed. */
export function retentionSchema() {
  const variables = z.object({
    RETENTION_DAYS: setting(days(SHORTEST_DAYS), {
      about: 'Files that nobody keeps and nobody has read for so many days are marked as deleted',
      default: 30,
    }),
    RETENTION_INTERVAL_HOURS: setting(float({ min: 0.0003, max: 8760 }), {
      about: 'A sweep starts every so many hours, counted from midnight UTC',
      default: 24,
    }),
    ORPHAN_DAYS: setting(days(SHORTEST_DAYS), { about: 'Copies whose upload failed so many days ago are marked as deleted', default: 7 }),
    PURGE_GRACE_DAYS: setting(days(0), {
      about: 'What is marked as deleted can be restored for so many days; then the object at the provider goes',
      default: 7,
    }),
    RETENTION_QUOTA_START: setting(float({ min: 0.01, max: 1 }), {
      about: "Share of an account's limit (files, bytes, age of a copy) from which on a sweep makes room: the oldest that nobody keeps go",
      default: 0.9,
    }),
    RETENTION_QUOTA_TARGET: setting(float({ min: 0, max: 1 }), {
      about: 'Share of a limit on files or bytes down to which it makes room',
      default: 0.8,
    }),
    RETENTION_QUOTA_MIN_AGE_DAYS: setting(days(0), {
      about: 'No file goes to make room that was read within so many days',
      default: 1,
    }),
    RETENTION_CONCURRENCY: setting(integer({ min: 1, max: 100 }), { about: 'Deletes at once at the providers', default: 8 }),
  });
  const schema = variables.transform((v, context) => {
    if (v.RETENTION_QUOTA_TARGET >= v.RETENTION_QUOTA_START)
      context.addIssue({
        code: 'custom',
        path: ['RETENTION_QUOTA_TARGET'],
        message: `must be below RETENTION_QUOTA_START (${v.RETENTION_QUOTA_START}), or a sweep would make no room`,
        params: { with: ['RETENTION_QUOTA_START'] },
      });
    return {
      retentionDays: v.RETENTION_DAYS,
      intervalMs: Math.max(1000, Math.round(v.RETENTION_INTERVAL_HOURS * 3600) * 1000),
      orphanDays: v.ORPHAN_DAYS,
      graceDays: v.PURGE_GRACE_DAYS,
      quota: { start: v.RETENTION_QUOTA_START, target: v.RETENTION_QUOTA_TARGET, minAgeDays: v.RETENTION_QUOTA_MIN_AGE_DAYS },
      concurrency: v.RETENTION_CONCURRENCY,
    };
  });
  return { title: 'Retention', variables, schema };
}
