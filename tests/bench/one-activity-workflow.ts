import { proxyActivities } from '@temporalio/workflow';

const { nothing } = proxyActivities<{ nothing(): Promise<number> }>({ startToCloseTimeout: '1 minute' });

/** The least that a durable workflow with one activity can cost: the alternative that ours is held against. */
export async function oneActivity(): Promise<number> {
  return await nothing();
}
