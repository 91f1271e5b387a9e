/** The page that Prometheus reads, on an address of its own: never on the port that devices reach. */
import { createServer, type Server } from 'node:http';
import { HoarfrostError } from '../protocol/errors.ts';
import type { SteadyClock } from './clock.ts';
import type { Cosigner } from './cosigner.ts';
import { checkHealth } from './health.ts';
import type { Listener } from './listener.ts';

const READ_DEADLINE_MS = 5000;
const CONNECTIONS_MAX = 16;

/** `BadConfiguration` naming the setting if the address cannot be listened on. */
export async function serveMetrics(
  cosigner: Cosigner,
  listener: Pick<Listener, 'load'>,
  clock: Pick<SteadyClock, 'ahead'>,
  address: { host: string; port: number },
): Promise<Server> {
  const server = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    await gauge(cosigner, listener, clock);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4', 'cache-control': 'no-store' });
    response.end(cosigner.metrics.text());
  });
  server.requestTimeout = READ_DEADLINE_MS;
  server.headersTimeout = READ_DEADLINE_MS;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new HoarfrostError('BadConfiguration', { detail: 'metrics: cannot be listened on', cause }));
    });
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

/** What is a state and no count is read when it is asked for. */
async function gauge(
  cosigner: Cosigner,
  { load }: Pick<Listener, 'load'>,
  clock: Pick<SteadyClock, 'ahead'>,
): Promise<void> {
  const { metrics } = cosigner;
  metrics.set('hoarfrost_connections', load.connections);
  metrics.set('hoarfrost_half_open_connections', load.halfOpen);
  metrics.set('hoarfrost_clock_ahead_seconds', clock.ahead() / 1000);
  const { health } = await checkHealth(cosigner, false);
  for (const [part, state] of Object.entries(health)) {
    if (part !== 'serving') metrics.set('hoarfrost_part_up', state === 'ok' ? 1 : 0, { part });
  }
  const { user, system } = process.cpuUsage();
  metrics.set('process_cpu_seconds_total', (user + system) / 1e6);
  metrics.set('process_resident_memory_bytes', process.memoryUsage.rss());
}
