// What a first visit costs: the bytes on the wire, and how its files may be kept.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { profile, setUp, stage } from './support.mjs';

const MOST_BYTES = 35_000;

let context, first, second;
const here = stage({ before, after }, async ({ browser, site }) => {
  const owner = await profile(browser, site);
  await setUp(owner, site);
  await owner.close();
  context = await profile(browser, site);
  first = await visit(site);
  second = await visit(site);
});
afterEach(() => assert.deepEqual(context.faults.splice(0), []));

/** Opens the sign-in page; every answer with its path, headers and bytes on the wire (0 from the browser's cache). */
const visit = async site => {
  const page = await context.newPage(),
    cdp = await context.newCDPSession(page),
    answers = new Map();
  cdp.on('Network.responseReceived', ({ requestId, response }) =>
    answers.set(requestId, { path: new URL(response.url).pathname, headers: response.headers }),
  );
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) =>
    Object.assign(answers.get(requestId), { bytes: encodedDataLength }),
  );
  await cdp.send('Network.enable');
  await page.goto(`${site.url}/login`, { waitUntil: 'networkidle' });
  await page.close();
  return [...answers.values()];
};

const header = (answer, name) => Object.entries(answer.headers).find(([key]) => key.toLowerCase() === name)?.[1] ?? '';

test('a first visit transfers at most 35 kB in all, headers included', t => {
  const total = first.reduce((sum, answer) => sum + answer.bytes, 0);
  t.diagnostic(`${total} bytes: ${first.map(({ path, bytes }) => `${path.split('/').at(-1)} ${bytes}`).join(', ')}`);
  assert.ok(first.length >= 4, 'page, style and scripts were counted');
  assert.ok(total <= MOST_BYTES, `${total} bytes`);
});

test('every file may be kept for good, and has an ETag', () => {
  const files = first.filter(({ path }) => path !== '/login');
  for (const file of files) {
    assert.match(header(file, 'cache-control'), /immutable/, file.path);
    assert.match(header(file, 'etag'), /^"[^"]+"$/, file.path);
    assert.match(header(file, 'content-encoding'), /^(br|gzip|zstd)$/, file.path);
    assert.match(header(file, 'vary'), /accept-encoding/i, file.path);
  }
});

test('a file that was kept answers 304 to its ETag, and the page itself is never kept', async () => {
  for (const { path, headers } of first) {
    const answer = await context.request.get(here.site.url + path, {
      headers: { 'if-none-match': header({ headers }, 'etag') || '"none"' },
    });
    if (path !== '/login') assert.equal(answer.status(), 304, path);
    else assert.match(answer.headers()['cache-control'], /no-store/);
  }
});

test('a second visit fetches the page alone', () => {
  assert.deepEqual(
    second.filter(({ bytes }) => bytes > 0).map(({ path }) => path),
    ['/login'],
  );
});
