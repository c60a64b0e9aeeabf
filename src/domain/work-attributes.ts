/** What log lines and spans say of the work that they are about: ids and names of ours, no names of files or people. */
export interface WorkAttributes {
  operationId?: string;
  tool?: string;
  provider?: string;
  migrationId?: string;
}

const text = (value: unknown): value is string => typeof value === 'string';
const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** From the input of a workflow or an activity, whichever it is; what it does not say is left out. */
export function workAttributes(input: unknown): WorkAttributes {
  const { operationId, provider, migrationId, tool, reference, plan } = fieldsOf(input);
  const ofTool = [tool, fieldsOf(reference).tool, fieldsOf(plan).tool].find(text);
  return {
    ...(text(operationId) ? { operationId } : {}),
    ...(ofTool === undefined ? {} : { tool: ofTool }),
    ...(text(provider) ? { provider } : {}),
    ...(text(migrationId) ? { migrationId } : {}),
  };
}

/** The same as attributes of a span, whose names have dots and no capitals. */
export function spanAttributes(work: WorkAttributes): Record<string, string> {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(work).map(([name, value]) => [`cutover.${snake(name)}`, value]));
}
