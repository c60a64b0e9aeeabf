export { formatDotenv, type Origin } from './layers.ts';
export { type Config, type ConfigSource, concerns, type InForce, loadConfig, MASK, stackEnvPath } from './load.ts';
export { ConfigError, describeProblem, type Problem } from './problem.ts';
export { processSource } from './process.ts';
export { secretValues } from './secret-values.ts';
export { infoOf, type SettingInfo } from './setting.ts';
export { getStatus, Status } from './status.ts';
export { settingsOfTool, TOOLS, type Tool, type ToolSettings } from './tools.ts';
