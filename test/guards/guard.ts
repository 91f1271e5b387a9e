/** What a guard is to `npm run guards`: a text of the sources that is taken out, and the test that must go red then. */

/** `text` stands exactly once in `file`; without the guard it is `becomes`, or nothing. */
export interface Change {
  readonly file: string;
  readonly text: string;
  readonly becomes?: string;
}

export interface Guard {
  /** `attack-NN`, or `audit-NN` for a row of docs/audit.json. The test or a group around it has it in its name. */
  readonly number: string;
  /** What is taken out, in one line. */
  readonly out: string;
  /** More than one where a second guard holds what the first lets through: then only both together can be missed. */
  readonly changes: readonly Change[];
  readonly test: { readonly file: string; readonly name: string };
  /** Begin of the failure where it is not an assertion's: what the attack does once nothing stops it. */
  readonly fails?: string;
}

/** Guards of one source file and one test file, for lists that read as a table: what goes, its text, what it becomes, the test. */
export function guards(
  file: string,
  test: string,
  rows: readonly (readonly [
    number: string,
    out: string,
    text: string,
    becomes: string,
    name: string,
    fails?: string,
  ])[],
): Guard[] {
  return rows.map(([number, out, text, becomes, name, fails]) => ({
    number,
    out,
    changes: [{ file, text, becomes }],
    test: { file: test, name },
    ...(fails !== undefined && { fails }),
  }));
}
