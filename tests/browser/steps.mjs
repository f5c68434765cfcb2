// The steps by which the accessibility tests and the screenshots get to a page or state.

import { OWNER, PLATFORM, STOP, generate, goOn, signIn } from './support.mjs';

export const dialog = page => page.getByRole('dialog');
export const button = (page, name) => page.getByRole('button', { name, exact: true });
/** Clicks, and waits for the answer of the POST and for whatever page comes with it. */
export const send = async (page, locator) => {
  await Promise.all([page.waitForResponse(r => r.request().method() === 'POST'), locator.click()]);
  await page.waitForLoadState('load');
};
/** Sends the form that holds that field as a browser without scripts would: a full page is the answer. */
export const sendPlainly = (page, field, extra = {}) =>
  Promise.all([
    page.waitForEvent('load'),
    page.locator('form', { has: page.locator(`[name="${field}"]`) }).evaluate((form, extra) => {
      for (const [name, value] of Object.entries(extra))
        form.append(Object.assign(document.createElement('input'), { type: 'hidden', name, value }));
      HTMLFormElement.prototype.submit.call(form);
    }, extra),
  ]);
export const openDetails = (page, field) =>
  page
    .locator('details', { has: page.locator(`[name="${field}"]`) })
    .first()
    .evaluate(el => (el.open = true));
const tryWrong = async (page, within) => {
  await within.locator('[name=password]').fill('not the right password');
  await send(page, within.locator('button:not([type=button]):not([name]):visible').first());
  await within.locator('[name=password][aria-invalid=true]').waitFor();
  await signIn(page.context(), { url: new URL(page.url()).origin });
};
let turn = Promise.resolve();
/** One at a time and with a success after each: from the third failure in a row on, a person is told to wait. */
export const wrongPassword = (page, within) => (turn = turn.catch(() => {}).then(() => tryWrong(page, within)));

// Steps that several states share
export const form = async (page, site) => page.goto(`${site.url}/settings/tokens/new`);
let tokens = 0;
export const filled = async (page, site) => {
  await form(page, site);
  await page.locator('[name=name]').fill(`stop-at-night-${++tokens}`);
  await page.locator('[name=mq]').fill('running stopenv');
  await page.locator(`[name=m][value$="${STOP}"]`).check();
};
export const formErrors = async page => {
  await Promise.all([
    page.waitForResponse(r => /lifetime=custom/.test(r.url())),
    page.locator('[name=lifetime]').selectOption('custom'),
  ]);
  // The sentence about the chosen day comes with an answer of its own; leaving before it would be an error of the test.
  await Promise.all([
    page.waitForResponse(r => /expires_at=2001/.test(r.url())),
    page.locator('[name=expires_at]').fill('2001-01-01'),
  ]);
  await openDetails(page, 'ip_allow');
  await page.locator('[name=ip_allow]').fill('10.0.0.0/33');
  await page.locator('[name=rate_per_minute]').fill('many');
  await page.locator('[name=allow]').fill('nothing');
};
export const confirmDialog = async (page, site) => {
  await filled(page, site);
  await goOn(page, 'lifetime').click();
  await dialog(page).locator('[name=password]').waitFor();
};
export const confirmPage = async (page, site) => {
  await filled(page, site);
  await sendPlainly(page, 'lifetime');
};
export const revealed = async (page, site) => {
  await confirmDialog(page, site);
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await button(page, 'Generate token').click();
  await page.locator('#value').waitFor();
};
export const revealedPage = async (page, site) => {
  await confirmPage(page, site);
  await page.locator('[name=password]').fill(OWNER.password);
  await send(page, button(page, 'Generate token'));
  await page.locator('#value').waitFor();
};
export const list = (page, site, query = '') => page.goto(`${site.url}/settings/tokens${query}`);
export const selected = async (page, site, n) => {
  await list(page, site, '?sort=name');
  for (let i = 0; i < n; i++) await page.locator('[name=id]').nth(i).check();
};
export const removeDialog = async (page, site) => {
  await selected(page, site, 2);
  await page.locator('button[name=do][value=remove]').click();
  await dialog(page).locator('[name=password]').waitFor();
};
export const importForm = (page, site) => page.goto(`${site.url}/admin/apis/new`);
export const preview = async (page, site) => {
  await importForm(page, site);
  await page.locator('[name=slug]').fill('another');
  await page.locator('[name=file]').setInputFiles(PLATFORM);
  await send(page, goOn(page, 'slug'));
};
const LESS = JSON.stringify({
  openapi: '3.0.0',
  info: { title: 'Platform', version: '2.0' },
  servers: [{ url: 'https://platform.example.com/1.0' }],
  paths: {
    '/environment/control/rest/startenv': { post: { tags: ['control'], responses: {} } },
    '/environment/control/v2/stopenv': { post: { tags: ['control'], operationId: 'stopenv', responses: {} } },
    '/environment/control/rest/moveenv': { post: { tags: ['control'], responses: {} } },
  },
});
export const difference = async (page, site) => {
  await page.goto(`${site.url}/admin/apis/platform/import`);
  await page
    .locator('[name=file]')
    .setInputFiles({ name: 'less.json', mimeType: 'application/json', buffer: Buffer.from(LESS) });
  await send(page, goOn(page, 'slug'));
};
export const api = (page, site, query = '') => page.goto(`${site.url}/admin/apis/platform${query}`);
export const setForm = (page, site) => page.goto(`${site.url}/admin/apis/platform/sets/new`);
export const policy = (page, site) => page.goto(`${site.url}/admin/policy`);
/** A policy that is stricter and looser in places, with tokens that live too long for it. */
export const policyReview = async (page, site) => {
  await policy(page, site);
  await page.locator('[name=max_lifetime]').fill('20');
  await page.locator('[name=default_lifetime]').fill('10');
  await page.locator('[name=confirm]').selectOption('window');
  await page.locator('[name=value_in_query][type=checkbox]').check();
  await send(page, goOn(page, 'max_lifetime'));
};
export const login = (page, site, query = '') => page.goto(`${site.url}/login${query}`);
export const profileForm = (page, site) => page.goto(`${site.url}/settings/profile`);
export const password = (page, site) => page.goto(`${site.url}/settings/password`);
/** With a program beside the browser. */
export const programs = async (page, site) => {
  const { email, password } = OWNER;
  const headers = { 'content-type': 'application/json', 'user-agent': 'hallpass/0.1.0' };
  await fetch(`${site.url}/api/v1/auth/login`, { method: 'POST', headers, body: JSON.stringify({ email, password }) });
  await sessions(page, site);
};

export const apiDocs = (page, site) => page.goto(`${site.url}/api/docs`);

/** Every call of the documentation, opened. */
export const apiDocsOpen = async (page, site) => {
  await apiDocs(page, site);
  await page.locator('main details').evaluateAll(all => all.forEach(one => (one.open = true)));
};

export const sessions = (page, site) => page.goto(`${site.url}/settings/sessions`);
/** A filled form that is sent without scripts after its session has ended. */
export const endedForm = async (page, site) => {
  await signIn(page.context(), site);
  await filled(page, site);
  await page.context().clearCookies({ name: 'hallpass' });
  await sendPlainly(page, 'lifetime');
};

export const audit = (page, site, query = '') => page.goto(`${site.url}/admin/audit${query}`);
/** The newest row of the audit log, opened. */
export const openRow = async (page, site, query) => {
  await audit(page, site, query);
  await page.locator('.log summary').first().click();
  await page.locator('.log details[open] .facts').waitFor();
};
export const activity = (page, site, query = '') => page.goto(`${site.url}/settings/activity${query}`);
/** Asks as a proxy would: one call that passes, and refused ones; then waits until they are written. */
export const call = async (context, site, value) => {
  const ask = (method, path, from) =>
    fetch(`${site.url}/verify`, {
      headers: {
        authorization: `Bearer ${value}`,
        'x-original-method': method,
        'x-original-uri': `/1.0${path}`,
        'x-forwarded-for': from,
      },
    });
  await ask('POST', '/environment/control/rest/stopenv', '10.4.0.17');
  await ask('POST', '/environment/control/rest/deleteenv', '2001:db8:85a3:8d3:1319:8a2e:370:7348');
  await ask('GET', `/${'a-path-as-long-as-one-may-be/'.repeat(20)}`, '10.4.0.9');
  for (let tries = 0; tries < 3000; tries++) {
    const page = await (await context.request.get(`${site.url}/settings/activity`)).text();
    if (page.includes('class="chart"')) return;
  }
  throw new Error('No call was counted.');
};

// One token's page. Each state that changes a token makes one of its own: both looks are taken at once.
export const edit = async (page, site, name) => {
  await list(page, site, `?q=${encodeURIComponent(name)}`);
  await page.getByRole('link', { name, exact: true }).click();
  await page.waitForURL(/tokens\/[0-9a-f-]+$/, { waitUntil: 'load' });
};
export const editOwn = async (page, site, fields = {}) => {
  const name = `of-one-state-${++tokens}`;
  await generate(page.context(), site, { name, ...fields });
  await edit(page, site, name);
  return name;
};
export const save = page => button(page, 'Save changes…');
export const editErrors = async (page, site) => {
  await edit(page, site, 'ci-deploy-production');
  await page.locator('[name=name]').fill('backup-nightly');
  await formErrors(page);
};
export const editDialog = async (page, site) => {
  await edit(page, site, 'backup-nightly');
  await page.locator('[name=description]').fill('Every night at three');
  await page.locator('[name=mq]').fill('deleteenv');
  await page.locator('[name=m]:visible').first().check();
  await save(page).click();
  await dialog(page).locator('[name=password]').waitFor();
};
export const editStale = async (page, site) => {
  await editOwn(page, site);
  await page
    .locator('[name=seen]')
    .evaluateAll(fields => fields.forEach(field => (field.value = field.value.replace(/^\d+/, '1'))));
  await page.locator('[name=description]').fill('Typed meanwhile');
};
export const regenerateDialog = async (page, site, grace = '24h', of = {}) => {
  await editOwn(page, site, of);
  await page.locator(`[name=grace][value="${grace}"]`).check();
  await button(page, 'Regenerate value…').click();
  await dialog(page).locator('[name=password]').waitFor();
};
export const regenerated = async (page, site) => {
  await regenerateDialog(page, site);
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await button(page, 'Regenerate value').click();
  await page.locator('#value').waitFor();
};
/** The page of a token in its grace period. */
export const inGrace = async (page, site) => {
  await regenerated(page, site);
  await page.reload();
};
export const verbDialog = async (page, site, verb, n = 2) => {
  await selected(page, site, n);
  await page.locator(`button[name=do][value=${verb}]`).click();
  await dialog(page).locator('[name=password]').waitFor();
};
