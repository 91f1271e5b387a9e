import { aptInstall, mayInstall } from './apt.ts';
import { isExecutable, onPath } from './command.ts';
import { Missing } from './missing.ts';

/** A program of the machine: how it is called, which setting overrides it, which Debian package brings it. */
interface Tool {
  name: string;
  programs: readonly string[];
  setting?: string;
  debian: string;
}

export const CHROMIUM: Tool = {
  name: 'Chromium',
  programs: ['chromium', 'chromium-browser'],
  setting: 'CHROMIUM',
  debian: 'chromium',
};
export const FIREFOX: Tool = {
  name: 'Firefox',
  programs: ['firefox-esr', 'firefox'],
  setting: 'FIREFOX',
  debian: 'firefox-esr',
};
export const CERTUTIL: Tool = { name: "NSS's certutil", programs: ['certutil'], debian: 'libnss3-tools' };
export const OPENSSL: Tool = { name: 'openssl', programs: ['openssl'], debian: 'openssl' };

/**
 * The path of a program that is already here.
 * @throws Missing
 */
export async function findTool(tool: Tool): Promise<string> {
  const set = tool.setting && process.env[tool.setting];
  if (set) {
    if (await isExecutable(set)) return set;
    throw new Missing(`${tool.name} at ${tool.setting}=${set}`, `a ${tool.setting} that names a program`);
  }
  const path = await onPath(...tool.programs);
  if (path) return path;
  const orSet = tool.setting ? `, or ${tool.setting}=path` : '';
  throw new Missing(tool.name, `apt-get install ${tool.debian} (Debian)${orSet}`);
}

/**
 * The path of a program, installed first where that may be done.
 * @throws Missing
 */
export async function getTool(tool: Tool): Promise<string> {
  try {
    return await findTool(tool);
  } catch (missing) {
    if ((tool.setting && process.env[tool.setting]) || !(await mayInstall())) throw missing;
    await aptInstall(tool.debian);
    return findTool(tool);
  }
}
