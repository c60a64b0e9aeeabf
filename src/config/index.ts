export { formatDotenv, type Origin } from './layers.ts';
export { type Config, type ConfigSource, concerns, type InForce, loadConfig, MASK, stackEnvPath } from './load.ts';
export { TOOLS, type Tool } from './migration.ts';
export { ConfigError, describeProblem, type Problem } from './problem.ts';
export { processSource } from './process.ts';
export { secretValues } from './secret-values.ts';
export { infoOf, type SettingInfo } from './setting.ts';
