// What the tests start from: an instance of their own, a browser, the steps that are not their subject,
// and a watch over what no page may ever do.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

export const OWNER = { name: 'Maria Keller', email: 'maria@example.com', password: 'seven green bicycles ride' };
export const PLATFORM = new URL('fixtures/platform.openapi.json', import.meta.url).pathname;
/** One method of the platform's 60, as a scope without its API. */
export const STOP = 'control:stopenv';
/** Browser, page and program have this long for one step; a debug build on a busy machine needs some of it. */
const PATIENCE = 20_000;

// 1. An instance with a data folder of its own

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

const binary = () => {
  const path = process.env.HALLPASS_BIN;
  assert.ok(path, 'HALLPASS_BIN has to name the program to test.');
  assert.ok(existsSync(path), `HALLPASS_BIN names ${path}, which does not exist.`);
  return path;
};

/** A running program: `url`, the printed `setupLink`, all that it `printed`, and `stop`. */
export class Site {
  /** `settings` is the text of its `hallpass.toml`. */
  static async start(settings = '') {
    const site = new Site(),
      program = binary();
    site.folder = await mkdtemp(join(tmpdir(), 'hallpass-browser-'));
    site.url = `http://127.0.0.1:${await freePort()}`;
    site.printed = '';
    await writeFile(join(site.folder, 'hallpass.toml'), settings);
    // Nothing is taken over from the caller's environment: its own HALLPASS_ settings would change the rules.
    const env = {
      PATH: process.env.PATH,
      HOME: site.folder,
      HALLPASS_LISTEN: new URL(site.url).host,
      HALLPASS_DATA_DIR: join(site.folder, 'kept'),
    };
    site.child = spawn(program, { cwd: site.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    site.ended = new Promise(resolve => site.child.once('exit', resolve).once('error', resolve));
    site.onExit = () => site.child.kill('SIGKILL');
    process.once('exit', site.onExit);
    try {
      site.setupLink = await site.#linkPrinted();
    } catch (cause) {
      await site.stop();
      throw cause;
    }
    return site;
  }

  #linkPrinted() {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`No set-up link within ${PATIENCE} ms:\n${this.printed}`)),
        PATIENCE,
      );
      const read = chunk => {
        this.printed += chunk;
        const link = this.printed.match(/https?:\/\/\S+\/setup\?code=\S+(?=\s)/)?.[0];
        if (link) (clearTimeout(late), resolve(link));
      };
      this.child.stdout.setEncoding('utf8').on('data', read);
      this.child.stderr.setEncoding('utf8').on('data', read);
      this.ended.then(() => (clearTimeout(late), reject(new Error(`The program ended at once:\n${this.printed}`))));
    });
  }

  async stop() {
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    if (this.child.exitCode === null && this.child.signalCode === null && this.child.pid) this.child.kill('SIGTERM');
    await this.ended;
    clearTimeout(late);
    process.off('exit', this.onExit);
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Changes the database behind the program's back, as an hour that no test can wait for would: by the `sqlite3` command. */
  sql(text) {
    return execFileSync('sqlite3', ['-cmd', '.timeout 5000', join(this.folder, 'kept', 'hallpass.db'), text], {
      encoding: 'utf8',
    });
  }

  /** Makes the token of that name one that has expired; the program reads it again as its version is new. */
  expire(name) {
    this.sql(
      `UPDATE sequence SET value = value + 1;
       UPDATE tokens SET expires_at = '2026-01-01 22:59:59', version = (SELECT value FROM sequence) WHERE name = '${name}'`,
    );
  }

  /** Makes one scope of the token of that name another, as of an API that has dropped it since. */
  lose(name, scope, by) {
    this.sql(
      `UPDATE sequence SET value = value + 1;
       UPDATE tokens SET scopes = replace(scopes, '${scope}', '${by}'), version = (SELECT value FROM sequence) WHERE name = '${name}'`,
    );
  }

  /** So many tokens more like `NAME-00`, as `NAME-01` and so on: by the pages each would take a password. Nobody has their values. */
  multiply(name, n) {
    const of = i => name.replace(/00$/, String(i).padStart(2, '0'));
    const more = Array.from({ length: n }, (_, i) => of(i + 1)).map(
      (to, i) => `
        UPDATE a_token SET id = substr(id, 1, 32) || ${1000 + i}, name = '${to}', name_key = '${to}', folded = '${to}';
        INSERT INTO tokens SELECT * FROM a_token;
        UPDATE a_value SET token_id = (SELECT id FROM a_token), digest = '${to}';
        INSERT INTO generations SELECT * FROM a_value;`,
    );
    this.sql(
      `BEGIN; CREATE TEMP TABLE a_token AS SELECT * FROM tokens WHERE name = '${name}';
       CREATE TEMP TABLE a_value AS SELECT * FROM generations WHERE token_id = (SELECT id FROM a_token);
       ${more.join('')} COMMIT;`,
    );
  }

  /** More events than one search looks through, copies of the oldest; the chain does not hold any more. */
  manyEvents() {
    this.sql(
      `INSERT INTO events SELECT substr(id, 1, 24) || printf('%012d', n), at, action, actor_id, actor_name, via, subject_kind,
         subject_id, subject_name, owner_id, detail, ip, agent, folded, -n, hash
       FROM (SELECT * FROM events WHERE number = 1),
         (WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 21000) SELECT n FROM up)
       WHERE NOT EXISTS (SELECT 1 FROM events WHERE number = -1);`,
    );
  }

  /** Everything that the program has written, to its files and to its output. */
  async everythingWritten() {
    const files = await readdir(this.folder, { recursive: true, withFileTypes: true });
    const texts = await Promise.all(
      files
        .filter(file => file.isFile())
        .map(file => readFile(join(file.parentPath ?? file.path, file.name), 'latin1')),
    );
    return [this.printed, ...texts].join('\n');
  }
}

// 2. A browser, and the watch

const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'.split(
    ' ',
  );

export const launch = (options = {}) =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS, ...options });

/** A browser profile of its own. `faults` fills with whatever no page may do, wherever it happens. */
export const profile = async (browser, site, options = {}) => {
  const context = await browser.newContext({
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  context.faults = [];
  const fault = text => context.faults.push(text);
  const isOurs = url => url.startsWith(`${site.url}/`) || /^(about|blob|data):/.test(url);
  context.on('request', request => isOurs(request.url()) || fault(`asked another host: ${request.url()}`));
  context.on(
    'requestfailed',
    request =>
      /ERR_ABORTED|ERR_CACHE_MISS/.test(request.failure()?.errorText) ||
      fault(`failed: ${request.url()} ${request.failure()?.errorText}`),
  );
  context.on('response', response => {
    const [status, { pathname }] = [response.status(), new URL(response.url())];
    if (status >= 500 || (status >= 400 && /^\/(assets|favicon)/.test(pathname))) fault(`${status} for ${pathname}`);
  });
  context.on('weberror', error => fault(`script error: ${error.error()}`));
  context.on('console', message => {
    // The browser and htmx tell of every 4xx; which of those are right is for the test to say.
    if (message.type() === 'error' && !/Failed to load resource|Response Status Error Code 4/.test(message.text()))
      fault(`console: ${message.text()}`);
  });
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', e =>
      console.error(`CSP ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`),
    ),
  );
  return context;
};

/** An instance and a browser for a test file, with what `prepare` adds to them: `here.site`, `here.browser`, … */
export const stage = ({ before, after }, prepare = async () => {}, settings = '') => {
  const here = {};
  // One hook, not two: those of a file's top level do not wait for each other.
  before(async () => {
    here.site = await Site.start(settings);
    here.browser = await launch();
    await prepare(here);
  });
  after(async () => {
    await here.browser?.close();
    await here.site?.stop();
  });
  return here;
};

// 3. Steps that are not the subject: plain forms, sent with the profile's cookies

/** The hidden fields of the form on that page that holds a field called `having`. */
const hiddenFields = (html, having) => {
  const form = html.match(/<form[\s\S]*?<\/form>/g)?.find(text => text.includes(`name="${having}"`));
  assert.ok(form, `No form with the field ${having} on the page.`);
  const fields = {};
  for (const [tag] of form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/g)) {
    const of = name => tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1] ?? '';
    fields[of('name')] = of('value');
  }
  return fields;
};

const asForm = fields =>
  Object.entries(fields)
    .flatMap(([name, value]) => [value].flat().map(one => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`))
    .join('&');

/** Posts a form as a browser without scripts would; repeated fields are arrays. The answer's text comes back. */
const post = async (context, url, fields, { multipart } = {}) => {
  const body = multipart
    ? { multipart: fields }
    : { data: asForm(fields), headers: { 'content-type': 'application/x-www-form-urlencoded' } };
  const answer = await context.request.post(url, body);
  const text = await answer.text();
  assert.ok(
    answer.ok(),
    `${answer.status()} for ${url}: ${text.match(/class="err"[\s\S]*?<\/p>|data-error>[^<]*/)?.[0] ?? ''}`,
  );
  return text;
};

/** The program ends a connection that nobody used for a while; one that is ended as it is used again is tried once more. */
const AGAIN = { maxRetries: 2 };
const open = async (context, url) => (await context.request.get(url, AGAIN)).text();

/** The first owner, signed in within that profile. */
export const setUp = async (context, site) => {
  const hidden = hiddenFields(await open(context, site.setupLink), 'code');
  const code = new URL(site.setupLink).searchParams.get('code');
  await post(context, `${site.url}/setup`, { ...hidden, ...OWNER, code });
};

export const signIn = async (context, site) => {
  const hidden = hiddenFields(await open(context, `${site.url}/login`), 'password');
  await post(context, `${site.url}/login`, { ...hidden, email: OWNER.email, password: OWNER.password });
};

/** Imports a description given as text. */
export const importApi = async (context, site, slug, text, options = {}) => {
  const hidden = hiddenFields(await open(context, `${site.url}/admin/apis/new`), 'slug');
  const file = { name: `${slug}.json`, mimeType: 'application/json', buffer: Buffer.from(text) };
  const preview = await post(
    context,
    `${site.url}/admin/apis/new`,
    { ...hidden, slug, file, ...options },
    { multipart: true },
  );
  await post(context, `${site.url}/admin/apis/import`, {
    ...hiddenFields(preview, 'password'),
    password: OWNER.password,
  });
};

export const importPlatform = async (context, site) =>
  importApi(context, site, 'platform', await readFile(PLATFORM, 'utf8'), {
    case_insensitive: 'on',
    kinds: 'read *:get*\ndelete *:remove*\ndelete *:delete*',
  });

/** Generates a token; the value is the answer. */
export const generate = async (context, site, fields) => {
  const url = `${site.url}/settings/tokens/new`;
  const hidden = hiddenFields(await open(context, url), 'lifetime');
  const ask = await post(context, url, { ...hidden, lifetime: '90', set: 'custom', m: STOP, ...fields });
  const shown = await post(context, `${url}/confirm`, { ...hiddenFields(ask, 'password'), password: OWNER.password });
  return shown.match(/\bhp_[0-9A-Za-z]{42}\b/)[0];
};

/** What the program says of a call to stop an environment, asked as nginx asks. */
export const verify = async (context, site, value) => {
  const answer = await context.request.get(`${site.url}/verify`, {
    ...AGAIN,
    headers: {
      authorization: `Bearer ${value}`,
      'x-original-method': 'POST',
      'x-original-uri': '/1.0/environment/control/rest/stopenv',
    },
  });
  return answer.status();
};

// 4. Finding things by what the contract names

/** The form that holds a field of that name. */
export const formWith = (page, field) => page.locator('form', { has: page.locator(`[name="${field}"]`) });

/** Its button that goes on: the one that says neither `do=…` nor another form's action. */
export const goOn = (page, field) => formWith(page, field).locator('button:not([type=button]):not([name]):visible');

/** Clicks what leads to another page, and waits until that page is loaded with its scripts. */
export const follow = async (page, locator, path) => {
  await locator.click();
  await page.waitForURL(url => (path instanceof RegExp ? path.test(url.pathname) : url.pathname === path), {
    waitUntil: 'load',
  });
};

/** The sentence that a field's control is described by, where the control says that it is invalid. */
export const errorOf = control =>
  control.evaluate(el =>
    el.getAttribute('aria-invalid') === 'true'
      ? document.getElementById(el.getAttribute('aria-describedby').split(' ')[0]).textContent.trim()
      : '',
  );

/** Fails unless that control has the focus soon: the browser gives it back after a dialog has gone, not with it. */
export const focused = async (locator, why = `${locator} has the focus`) => {
  const has = el => el === document.activeElement;
  await locator.page().waitForFunction(has, await locator.elementHandle(), { timeout: 5_000 }).catch(() => assert.fail(why));
};

// 5. Looking for a value where none may be

/** Every place in which a page of this profile could keep a value, as one text. */
export const everythingKept = async page => {
  const inPage = await page.evaluate(async () => {
    const parts = [
      document.documentElement.outerHTML,
      location.href,
      document.title,
      document.referrer,
      document.cookie,
      JSON.stringify(history.state),
      name,
    ];
    for (const el of document.querySelectorAll('input,textarea')) parts.push(el.value, el.defaultValue);
    for (const store of [localStorage, sessionStorage])
      for (let i = 0; i < store.length; i++) parts.push(store.key(i), store.getItem(store.key(i)));
    for (const found of (await indexedDB.databases?.()) ?? []) parts.push(found.name);
    for (const key of await caches.keys())
      for (const request of await (await caches.open(key)).keys()) parts.push(request.url);
    for (const entry of performance.getEntries()) parts.push(entry.name);
    return parts.join('\n');
  });
  return `${inPage}\n${page.url()}\n${JSON.stringify(await page.context().storageState())}`;
};
