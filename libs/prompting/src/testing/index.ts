export { createPythonRunner, findPython } from './python-runner.ts';
export { scriptedModel } from './scripted-model.ts';
export type { ScriptedAnswer, ScriptedModel, ScriptedModelOptions } from './scripted-model.ts';
