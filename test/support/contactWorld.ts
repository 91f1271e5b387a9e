/** The whole road with somebody who is told by mail of every ceremony, and counts as one of the three. */
import type { Page } from 'playwright-core';
import { type MailServer, startMail } from './contacts.ts';
import { testTls } from './cosigner.ts';
import { openWorld, type World, type WorldOptions } from './world.ts';

export const CONTACT = 'friend@example.org';

export interface ContactWorld extends World {
  mail: MailServer;
  /** What the cosigner was started with: another one with these tells by the same mail. */
  options: WorldOptions;
}

export async function openContactWorld(): Promise<ContactWorld> {
  const { caFile } = await testTls;
  const mail = await startMail();
  const { host, port, auth, from } = mail.setting;
  const login = `${encodeURIComponent(auth!.user)}:${encodeURIComponent(auth!.password)}`;
  const options = {
    settings: [`--smtp=smtp://${login}@${host}:${port}`, `--smtp-from=${from}`],
    under: ['env', `NODE_EXTRA_CA_CERTS=${caFile}`],
  };
  try {
    const world = await openWorld(options);
    const closeWorld = world.close;
    const close = async () => {
      await closeWorld();
      await mail.close();
    };
    return Object.assign(world, { mail, options, close });
  } catch (error) {
    await mail.close();
    throw error;
  }
}

/** The page behind the link in the latest mail that says `text`, opened in a tab of `world`'s browser. */
export async function contactPage({ mail, chromium }: ContactWorld, text = ''): Promise<Page> {
  const link = () =>
    mail.mails
      .filter((one) => one.text.includes(text))
      .map((one) => /https:\/\/\S+\/contact\/\S+/.exec(one.text)?.[0])
      .findLast((found) => found !== undefined);
  const late = AbortSignal.timeout(60_000);
  while (link() === undefined) {
    late.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const page = await chromium.context.newPage();
  await page.goto(link()!);
  return page;
}

/** The contact asked the owner, and agrees. */
export async function contactAgrees(world: ContactWorld, text = ''): Promise<void> {
  const page = await contactPage(world, text);
  await page.getByRole('button', { name: 'I asked the owner: it is wanted', exact: true }).click();
  await page.getByText('You have agreed to it.').waitFor();
  await page.close();
}
