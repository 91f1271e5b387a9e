/**
 * Taint over the text form of a wasm module: whatever a function loads from linear memory is taken for secret, except at
 * fixed addresses that the caller calls public; from there it follows locals, globals, calls and results through all control
 * flow. A finding is a tainted branch condition, a tainted address or length, or a tainted operand of a division.
 *
 * What it cannot see: which loads are truly secret (all are, so public lengths in memory show as findings too); what engines
 * make of `select` and of the arithmetic, and the time that single instructions take (the t-test is for that).
 */

export type Node = string | Node[];

/** S-expressions of wasm-dis: atoms, strings kept as one atom, comments dropped. */
export function parse(text: string): Node {
  const stack: Node[][] = [[]];
  for (const [token] of text.matchAll(/\(;[\s\S]*?;\)|;;[^\n]*|"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+/g)) {
    if (token.startsWith('(;') || token.startsWith(';;')) continue;
    if (token === '(') stack.push([]);
    else if (token === ')') {
      const done = stack.pop()!;
      stack.at(-1)!.push(done);
    } else stack.at(-1)!.push(token);
  }
  return stack[0]![0]!;
}

export interface Finding {
  readonly function: string;
  readonly kind: 'branch' | 'address' | 'division' | 'select';
  /** The operation with its operands, shortened. */
  readonly at: string;
}

interface Func {
  readonly name: string;
  readonly params: readonly string[];
  readonly body: readonly Node[];
}

/** What a call passes for one parameter. A constant may rule out an arm of the callee, such as its variable-time one. */
interface Argument {
  readonly taint: boolean;
  readonly constant: number | undefined;
}

/** What is known of each local: its taint, or the constant that it holds. Undefined where control never comes. */
type State = Map<string, boolean | number> | undefined;

function join(a: State, b: State): State {
  if (a === undefined || b === undefined) return a ?? b;
  const sum = new Map(a);
  for (const local of new Set([...a.keys(), ...b.keys()])) {
    // A local that nobody has set holds 0.
    const [x, y] = [a.get(local) ?? 0, b.get(local) ?? 0];
    sum.set(local, x === y ? x : x === true || y === true);
  }
  return sum;
}

const same = (a: State, b: State): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.size === b.size &&
    [...a].every(([local, taint]) => b.get(local) === taint));

const show = (node: Node, depth = 3): string =>
  typeof node === 'string' ? node : depth === 0 ? '..' : `(${node.map((n) => show(n, depth - 1)).join(' ')})`;

/** Structural parts of a function or block that compute nothing. */
const SILENT = new Set(['param', 'result', 'local', 'type', 'export', 'nop']);

export class Taint {
  readonly #functions = new Map<string, Func>();
  readonly #names = new Map<string, string>();
  readonly #globals = new Map<string, boolean>();
  readonly #summaries = new Map<string, { result: boolean; findings: readonly Finding[] }>();
  readonly #isPublic: (address: number) => boolean;

  /** `isPublic` says of a fixed address whether what lies there is public. */
  constructor(text: string, isPublic: (address: number) => boolean) {
    this.#isPublic = isPublic;
    const module = parse(text) as Node[];
    for (const part of module) {
      if (typeof part === 'string') continue;
      if (part[0] === 'export') {
        const what = part[2] as Node[];
        if (what[0] === 'func') this.#names.set(what[1] as string, (part[1] as string).slice(1, -1));
      }
      if (part[0] === 'func') {
        const name = part[1] as string;
        const params = part
          .filter((p): p is Node[] => typeof p !== 'string' && p[0] === 'param')
          .map((p) => p[1] as string);
        this.#functions.set(name, { name, params, body: part.slice(2) });
      }
    }
  }

  get exports(): string[] {
    return [...this.#names.values()];
  }

  /** What an exported function and all that it calls do with what they load; its own arguments are public. */
  findings(root: string): Finding[] {
    const id = [...this.#names].find(([, name]) => name === root)?.[0];
    if (id === undefined) throw new Error(`no export ${root}`);
    this.#globals.clear();
    // A global may become tainted late: until nothing changes.
    for (;;) {
      const before = [...this.#globals].join();
      this.#summaries.clear();
      const { params } = this.#functions.get(id)!;
      this.#call(
        id,
        params.map(() => ({ taint: false, constant: undefined })),
      );
      if ([...this.#globals].join() === before) break;
    }
    const all = [...this.#summaries.values()].flatMap((s) => s.findings);
    return [...new Map(all.map((f) => [JSON.stringify(f), f])).values()];
  }

  #call(id: string, args: readonly Argument[]): boolean {
    const key = JSON.stringify([id, args]);
    const known = this.#summaries.get(key);
    if (known) return known.result;
    const f = this.#functions.get(id)!;
    const run = new Run(f, args, {
      name: this.#names.get(id) ?? id,
      globals: this.#globals,
      isPublic: this.#isPublic,
      call: (callee, given) => this.#call(callee, given),
    });
    const result = run.all();
    this.#summaries.set(key, { result, findings: run.findings });
    return result;
  }
}

interface Context {
  readonly name: string;
  readonly globals: Map<string, boolean>;
  readonly isPublic: (address: number) => boolean;
  readonly call: (callee: string, args: readonly Argument[]) => boolean;
}

/** One walk over a function, with states joined where control meets and loops run until they settle. */
class Run {
  readonly findings: Finding[] = [];
  readonly #f: Func;
  readonly #context: Context;
  #state: State;
  #result = false;
  /** Open labels, innermost last: the state and the value's taint that branches bring to it. */
  readonly #labels: { name: string; state: State; value: boolean }[] = [];

  constructor(f: Func, args: readonly Argument[], context: Context) {
    this.#f = f;
    this.#context = context;
    this.#state = new Map(f.params.map((p, i) => [p, args[i]!.taint || (args[i]!.constant ?? false)]));
  }

  all(): boolean {
    const value = this.#sequence(this.#f.body);
    return this.#result || value;
  }

  #find(kind: Finding['kind'], node: Node): void {
    const finding = { function: this.#context.name, kind, at: show(node) };
    if (!this.findings.some((f) => f.kind === kind && f.at === finding.at)) this.findings.push(finding);
  }

  #sequence(nodes: readonly Node[]): boolean {
    let value = false;
    for (const node of nodes) value = this.#value(node);
    return value;
  }

  #operands(nodes: readonly Node[]): boolean {
    let any = false;
    for (const node of nodes) if (typeof node !== 'string' && this.#value(node)) any = true;
    return any;
  }

  #branchTo(label: string, value: boolean): void {
    const target = /^\d+$/.test(label)
      ? this.#labels.at(-1 - Number(label))
      : this.#labels.findLast((l) => l.name === label);
    if (target === undefined) {
      this.#result ||= value;
      return;
    }
    target.state = join(target.state, this.#state);
    target.value ||= value;
  }

  #block(label: string, body: readonly Node[]): boolean {
    this.#labels.push({ name: label, state: undefined, value: false });
    const value = this.#sequence(body);
    const { state, value: brought } = this.#labels.pop()!;
    this.#state = join(this.#state, state);
    return value || brought;
  }

  #loop(label: string, body: readonly Node[]): boolean {
    let entry = this.#state;
    for (;;) {
      this.#state = entry;
      this.#labels.push({ name: label, state: undefined, value: false });
      const value = this.#sequence(body);
      const again = join(entry, this.#labels.pop()!.state);
      if (same(again, entry)) return value;
      entry = again;
    }
  }

  #constant(node: Node): number | undefined {
    if (typeof node === 'string') return undefined;
    if (node[0] === 'i32.const') return Number(node[1]);
    if (node[0] === 'local.get') {
      const held = this.#state?.get(node[1] as string);
      return typeof held === 'number' ? held : undefined;
    }
    if (node[0] === 'i32.eqz') {
      const inner = this.#constant(node[1]!);
      return inner === undefined ? undefined : Number(inner === 0);
    }
    return undefined;
  }

  #if(node: Node[]): boolean {
    const parts = node.filter((n): n is Node[] => typeof n !== 'string' && !SILENT.has(n[0] as string));
    const label = typeof node[1] === 'string' ? node[1] : '';
    const [condition, ...arms] = parts;
    if (this.#value(condition!)) this.#find('branch', node.slice(0, 1).concat([condition!]));
    const before = this.#state;
    this.#labels.push({ name: label, state: undefined, value: false });
    const known = this.#constant(condition!);
    if (known !== undefined) {
      const taken = known === 0 ? arms[1] : arms[0];
      const result = taken ? this.#sequence(taken.slice(1)) : false;
      const end = this.#labels.pop()!;
      this.#state = join(this.#state, end.state);
      return result || end.value;
    }
    let value = this.#sequence(arms[0]!.slice(1));
    const afterThen = this.#state;
    this.#state = before;
    if (arms[1]) value = this.#sequence(arms[1].slice(1)) || value;
    const { state, value: brought } = this.#labels.pop()!;
    this.#state = join(join(this.#state, afterThen), state);
    return value || brought;
  }

  /** Whether a load at this address is public: a fixed address, and one that is. */
  #publicLoad(node: Node[], address: Node): boolean {
    if (typeof address === 'string' || address[0] !== 'i32.const') return false;
    const offset = node.find((n): n is string => typeof n === 'string' && n.startsWith('offset='));
    return this.#context.isPublic(Number(address[1]) + Number(offset?.slice(7) ?? 0));
  }

  #value(node: Node): boolean {
    if (typeof node === 'string') return false;
    const op = node[0] as string;
    const operands = node.slice(1).filter((n): n is Node[] => typeof n !== 'string');
    const name = node[1] as string;
    if (SILENT.has(op) || op.endsWith('.const')) return false;
    switch (op) {
      case 'block':
        return this.#block(typeof name === 'string' ? name : '', operands);
      case 'loop':
        return this.#loop(typeof name === 'string' ? name : '', operands);
      case 'if':
        return this.#if(node);
      case 'local.get':
        return this.#state?.get(name) === true;
      case 'local.set':
      case 'local.tee': {
        const taint = this.#operands(operands);
        // A state that others hold is never changed.
        if (this.#state && this.#state.get(name) !== taint)
          this.#state = new Map(this.#state).set(name, taint);
        return op === 'local.tee' && taint;
      }
      case 'global.get':
        return this.#context.globals.get(name) ?? false;
      case 'global.set':
        if (this.#operands(operands)) this.#context.globals.set(name, true);
        return false;
      case 'call':
        return this.#context.call(
          name,
          operands.map((n) => ({ taint: this.#value(n), constant: this.#constant(n) })),
        );
      case 'return':
        this.#result ||= this.#operands(operands);
        this.#state = undefined;
        return false;
      case 'unreachable':
        this.#state = undefined;
        return false;
      case 'br': {
        this.#branchTo(name, this.#operands(operands));
        this.#state = undefined;
        return false;
      }
      case 'br_if': {
        const taints = operands.map((n) => this.#value(n));
        if (taints.at(-1)) this.#find('branch', node);
        this.#branchTo(name, taints.slice(0, -1).some(Boolean));
        return taints.slice(0, -1).some(Boolean);
      }
      case 'br_table': {
        const taint = this.#operands(operands);
        if (taint) this.#find('branch', node);
        for (const label of node.slice(1)) if (typeof label === 'string') this.#branchTo(label, false);
        this.#state = undefined;
        return false;
      }
      case 'select': {
        const taints = operands.map((n) => this.#value(n));
        if (taints.at(-1)) this.#find('select', node);
        return taints.some(Boolean);
      }
      case 'memory.fill':
      case 'memory.copy': {
        const taints = operands.map((n) => this.#value(n));
        if (taints[0] || taints[2] || (op === 'memory.copy' && taints[1])) this.#find('address', node);
        return false;
      }
    }
    if (/^(call_|return_call|table\.|memory\.)/.test(op)) throw new Error(`not known: ${op}`);
    if (/\.load/.test(op)) {
      if (this.#value(operands[0]!)) this.#find('address', node);
      return !this.#publicLoad(node, operands[0]!);
    }
    if (/\.store/.test(op)) {
      const [address] = operands.map((n) => this.#value(n));
      if (address) this.#find('address', node);
      return false;
    }
    const taint = this.#operands(operands);
    if (taint && /\.(div|rem)_/.test(op)) this.#find('division', node);
    return taint;
  }
}
