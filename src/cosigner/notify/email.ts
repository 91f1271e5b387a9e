/** Notices by e-mail: one SMTP server of the operator's, over TLS from the first byte or by STARTTLS, never without. */
import { createTransport } from 'nodemailer';
import { HoarfrostError } from '../../protocol/errors.ts';
import type { NoticeText } from './text.ts';

export interface SmtpSetting {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte; otherwise STARTTLS is insisted on. */
  readonly implicitTls: boolean;
  readonly auth: { readonly user: string; readonly password: string } | null;
  /** The sender's address. */
  readonly from: string;
}

const DEADLINE_MS = 30_000;

/** Rejects with `DeadlineExceeded` or `ChannelClosed` unless the server has taken it. */
export async function sendEmail(
  setting: SmtpSetting,
  to: string,
  { subject, text }: NoticeText,
): Promise<void> {
  const { host, port, implicitTls, auth, from } = setting;
  const transport = createTransport({
    host,
    port,
    secure: implicitTls,
    requireTLS: !implicitTls,
    tls: { minVersion: 'TLSv1.2' },
    ...(auth === null ? {} : { auth: { user: auth.user, pass: auth.password } }),
    connectionTimeout: DEADLINE_MS,
    greetingTimeout: DEADLINE_MS,
    socketTimeout: DEADLINE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    // Addresses as objects: nothing of them is parsed as a list.
    await transport.sendMail({
      from: { name: 'Hoarfrost', address: from },
      to: { name: '', address: to },
      subject,
      text,
    });
  } catch (cause) {
    const late = (cause as { code?: string }).code === 'ETIMEDOUT';
    throw new HoarfrostError(late ? 'DeadlineExceeded' : 'ChannelClosed', { detail: 'smtp', cause });
  } finally {
    transport.close();
  }
}
