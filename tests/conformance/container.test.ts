// The Dockerfile and docker-compose.yml as texts: what must hold in them wherever they are built. Building
// and starting for real is scripts/container.sh, which is too slow for every run; what it takes from
// docker-compose.yml is held here.

import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PORTS, ROLES, SECRETS } from '../../configs/environment.ts';
import { composeFile as compose, filledIn } from '../support/compose.ts';

const root = resolve(import.meta.dir, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Instructions of a Dockerfile: continuation lines joined, comments gone, stage by stage. */
function stages(): string[][] {
  const lines = read('Dockerfile')
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const found: string[][] = [[]];
  for (const line of lines) {
    if (line.startsWith('FROM ')) found.push([]);
    found.at(-1)?.push(line);
  }
  return found.slice(1);
}

const last = (): string[] => stages().at(-1) ?? [];
const SECRET = /password|passwd|token|private key|secret_?key|api_?key/i;

describe('Dockerfile', () => {
  test('installs in a stage of its own, from the lockfile', () => {
    expect(stages().length).toBeGreaterThan(1);
    expect(stages()[0]?.join('\n')).toContain('bun install --frozen-lockfile --production');
    expect(last().join('\n')).not.toContain('install');
    expect(last()).toContain('COPY --from=dependencies /app/node_modules node_modules');
  });

  test('has one pinned base, which is not the latest', () => {
    const base = /^ARG BUN_IMAGE=(\S+)$/m.exec(read('Dockerfile'))?.[1];
    expect(base).toMatch(/:\d+\.\d+\.\d+/);
    for (const stage of stages()) {
      expect(stage[0]).toMatch(/^FROM \$\{BUN_IMAGE\}/);
    }
  });

  test('runs the program itself, without root, and lets it say how it is', () => {
    expect(last().filter((line) => line.startsWith('USER'))).toEqual(['USER 10001:10001']);
    expect(last().at(-1)).toBe('ENTRYPOINT ["bun", "runtime/main.ts"]');
    const health = last().find((line) => line.startsWith('HEALTHCHECK'));
    const [, words = '[]'] = /CMD (\[.*\])$/.exec(health ?? '') ?? [];
    const [program, file]: string[] = JSON.parse(words);
    expect(program).toBe('bun');
    expect(existsSync(join(root, file ?? ''))).toBe(true);
    expect(read('Dockerfile')).not.toMatch(/curl|wget|apt-get/);
  });

  test('opens the ports of the services to its network and keeps data and logs in volumes', () => {
    expect(last()).toContain(`EXPOSE ${ROLES.map((role) => PORTS[role]).join(' ')}`);
    expect(last()).toContain('VOLUME ["/data", "/logs"]');
    const env = last().find((line) => line.startsWith('ENV ')) ?? '';
    for (const each of ['HOST=0.0.0.0', 'DATA_DIR=/data', 'LOG_DIR=/logs']) expect(env).toContain(each);
  });

  test('takes only what is named into the build, and it names no secret', () => {
    expect(read('.dockerignore').split('\n')[0]).toBe('**');
    const copied = stages()
      .flat()
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    const allowed = new Set(read('.dockerignore').match(/^!(.+)$/gm));
    for (const each of copied) expect(allowed).toContain(`!${each}`);
    for (const each of copied) expect(existsSync(join(root, each))).toBe(true);
    const set = stages()
      .flat()
      .filter((line) => /^(ENV|ARG) /.test(line));
    for (const line of set) for (const secret of SECRETS) expect(line).not.toContain(secret);
    for (const line of set) expect(line).not.toMatch(SECRET);
    expect('patchedDependencies' in JSON.parse(read('package.json'))).toBe(allowed.has('!patches'));
  });
});

describe('docker-compose.yml', () => {
  test('has a service for each role and for each server', () => {
    const outside = ['clickhouse', 'kafka', 'redis'];
    expect(Object.keys(compose().services).sort()).toEqual([...ROLES, ...outside].sort());
  });

  test('gives each role its ROLE, port, volumes, and the three servers', () => {
    const { services } = compose();
    for (const role of ROLES) {
      const service = services[role];
      expect(service?.environment).toMatchObject({
        ROLE: role,
        KAFKA_BROKERS: 'kafka:9092',
        CLICKHOUSE_URL: 'http://clickhouse:8123',
        REDIS_URL: 'redis://redis:6379',
      });
      expect(service?.ports).toEqual([`127.0.0.1:${PORTS[role]}:${PORTS[role]}`]);
      expect(service?.volumes).toEqual([`${role}-data:/data`, `${role}-logs:/logs`]);
      expect(service?.user).toBe('10001:10001');
      expect(service?.healthcheck.test).toEqual(['CMD', 'bun', 'runtime/cli/health.ts']);
    }
  });

  test('lets no role write but into its volumes and /tmp, or do what only root may', () => {
    const { services } = compose();
    for (const role of ROLES) {
      expect(services[role]).toMatchObject({
        read_only: true,
        tmpfs: ['/tmp'],
        cap_drop: ['ALL'],
        init: true,
      });
    }
  });

  test('fills in what whoever starts it has set, and else its defaults', () => {
    const { normalization } = compose().services;
    if (normalization === undefined) throw new Error('no normalization');
    expect(filledIn(normalization)).toMatchObject({
      ROLE: 'normalization',
      ADMIN_TOKEN: '',
      LOG_LEVEL: 'info',
    });
    expect(filledIn(normalization, { LOG_LEVEL: 'debug' })).toMatchObject({ LOG_LEVEL: 'debug' });
  });

  test('pins every image, checks the health of every service, and declares every volume', () => {
    const { services, volumes } = compose();
    for (const [name, { image, healthcheck, volumes: mounts = [] }] of Object.entries(services)) {
      expect(image, name).toMatch(/:\d+\.\d+/);
      expect(image).not.toContain('latest');
      expect(healthcheck.test[0], name).toBe('CMD');
      for (const mount of mounts) {
        const [source = ''] = mount.split(':');
        if (source.startsWith('./')) expect(existsSync(join(root, source))).toBe(true);
        else expect(Object.keys(volumes)).toContain(source);
      }
    }
  });

  test('keeps the cache bounded and the topics declared', () => {
    const { kafka, redis } = compose().services;
    expect(kafka?.environment?.KAFKA_AUTO_CREATE_TOPICS_ENABLE).toBe('false');
    expect(redis?.command?.join(' ')).toContain('--maxmemory-policy allkeys-lru');
  });

  test('holds no secret: each comes from whoever starts it', () => {
    for (const { environment = {} } of Object.values(compose().services)) {
      for (const [name, value] of Object.entries(environment)) {
        if (SECRET.test(name)) expect(value).toMatch(/^\$\{[A-Z_]+:-\}$/);
        expect(value).not.toMatch(/:\/\/[^/]*@/);
      }
    }
  });
});
