import type { StackStatus } from '../stack/status.ts';
import type { CommandContext } from './context.ts';

export interface UpOptions {
  workers: number;
  json?: boolean;
  detach?: boolean;
}

interface Running extends Pick<StackStatus, 'pid' | 'temporalAddress' | 'temporalUiUrl' | 'supabaseUrl' | 'services'> {
  stateDir: string;
}

/** What the one who started it wants to know. */
export async function announce({ output }: Pick<CommandContext, 'output'>, running: Running, { json }: UpOptions): Promise<void> {
  const { stateDir, pid, temporalAddress, temporalUiUrl, supabaseUrl, services } = running;
  if (json === true) {
    await output.json({
      pid,
      stateDir,
      temporal: { address: temporalAddress, uiUrl: temporalUiUrl },
      supabase: { url: supabaseUrl },
      services,
    });
    return;
  }
  const here = (name: string) => (services.some((service) => service.name === name) ? '' : ' (not started here)');
  const rows = [
    ['Temporal UI', temporalUiUrl ?? '(TEMPORAL_UI_URL is not set)'],
    ['Temporal', `${temporalAddress}${here('temporal')}`],
    ['Supabase', `${supabaseUrl}${here('supabase')}`],
    ['Data and logs', stateDir],
    ['Workers', String(services.filter(({ name }) => name.startsWith('worker')).length)],
    ['To stop', '`npx cutover down`, or Ctrl-C where it runs'],
  ];
  for (const [name = '', value = ''] of rows) await output.data(`  ${name.padEnd(14)} ${value}`);
}
