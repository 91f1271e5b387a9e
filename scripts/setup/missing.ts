/** A thing this machine must have and that could not be got: its name, and what the user can do about it. */
export class Missing extends Error {
  override name = 'Missing';
  readonly thing: string;
  readonly remedy: string;

  /** @param remedy the command that installs it, or the setting that names it */
  constructor(thing: string, remedy: string) {
    super(`Missing: ${thing}. Get it with: ${remedy}`);
    this.thing = thing;
    this.remedy = remedy;
  }
}
