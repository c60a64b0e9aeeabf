export { EXIT } from '../domain/exit-code.ts';
