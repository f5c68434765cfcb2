// Editing, copying and prefilling tokens in a browser with JavaScript.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { dialog, openDetails, send } from './steps.mjs';
import { OWNER, STOP, errorOf, focused, follow, generate, goOn, importPlatform, profile, setUp, signIn, stage } from './support.mjs';

let context, page, other;
const here = stage({ before, after }, async ({ browser, site }) => {
  context = await profile(browser, site);
  await setUp(context, site);
  await importPlatform(context, site);
  for (const name of ['ci-deploy', 'backup', 'raced']) await generate(context, site, { name, lifetime: '30' });
  await generate(context, site, { name: 'wild', m: ['control:*', 'account:getbalance'] });
  page = await context.newPage();
  other = await profile(browser, site);
  await signIn(other, site);
});
afterEach(() => assert.deepEqual([...context.faults.splice(0), ...other.faults.splice(0)], []));

const LIST = '/settings/tokens';
const at = (path, of = page) => of.goto(here.site.url + path);
const row = (name, of = page) => of.getByRole('row').filter({ has: of.getByRole('link', { name, exact: true }) });
/** Opens the token's page from the list. */
const edit = async (name, of = page) => {
  await at(LIST, of);
  await follow(of, row(name, of).getByRole('link'), /^\/settings\/tokens\/[0-9a-f-]+$/);
};
const save = (of = page) => goOn(of, 'lifetime').filter({ hasText: 'Save changes' });
/** As far as the dialog with what will change. */
const review = async (of = page) => {
  await save(of).click();
  await dialog(of).locator('[name=password]').waitFor();
  return dialog(of).innerText();
};
const confirm = async (of = page) => {
  await dialog(of).locator('[name=password]').fill(OWNER.password);
  await follow(of, dialog(of).getByRole('button', { name: 'Save changes' }), LIST);
};
const alert = () => page.locator('main').getByRole('alert');
const note = () => page.locator('main .note').first().innerText();

test('what changes is told in the dialog, a wrong password there, and the list marks the saved row', async () => {
  await edit('ci-deploy');
  await page.locator('[name=name]').fill('deploy');
  await page.locator('[name=description]').fill('for the pipeline');
  await openDetails(page, 'rate_per_minute');
  await page.locator('[name=rate_per_minute]').fill('60');
  const told = await review();
  for (const part of ['deploy, was ci-deploy', 'for the pipeline', '60', OWNER.email]) assert.ok(told.includes(part), told);
  const password = dialog(page).locator('[name=password]');
  await focused(password, 'the password has the focus');

  await password.fill('not the right password');
  const [refused] = await Promise.all([
    page.waitForResponse(r => r.url().endsWith('/confirm')),
    dialog(page).getByRole('button', { name: 'Save changes' }).click(),
  ]);
  assert.equal(refused.status(), 422);
  await dialog(page).locator('[name=password][aria-invalid=true]').waitFor();
  assert.match(await errorOf(password), /not right/);
  assert.equal(await password.inputValue(), '');
  assert.ok((await dialog(page).innerText()).includes('deploy, was ci-deploy'), 'the changes are still told');

  await confirm();
  assert.match(await page.getByRole('status').first().innerText(), /Saved deploy\./);
  assert.ok(await row('deploy').evaluate(el => el.matches(':target')), 'the row is marked');
  assert.match(await row('deploy').innerText(), /for the pipeline/);
});

test('a form saved as it was says that nothing is different, and asks for no password', async () => {
  await edit('deploy');
  await send(page, save());
  await page.getByText('Nothing is different from before').waitFor();
  assert.equal(await dialog(page).isVisible(), false);
});

test('methods that are added are told with those that can delete, and Cancel leaves the form as it is filled in', async () => {
  await edit('deploy');
  await page.locator('[name=mq]').fill('deleteenv');
  await page.locator('[name=m]:visible').first().check();
  assert.match(await review(), /Adds 1 method, which can delete: control:deleteenv/);
  await dialog(page).getByRole('button', { name: 'Cancel' }).click();
  await dialog(page).waitFor({ state: 'hidden' });
  assert.ok(await page.locator('[name=m][value="control:deleteenv"]').isChecked());
  await focused(save(), 'the focus returns');
});

test('what is wrong is told in place, and everything typed is kept', async () => {
  await edit('deploy');
  await page.locator('[name=name]').fill('backup');
  await openDetails(page, 'ip_allow');
  await page.locator('[name=ip_allow]').fill('10.0.0.0/33');
  await page.locator('[name=description]').fill('typed');
  await send(page, save());
  await alert().waitFor();
  assert.match(await errorOf(page.locator('[name=name]')), /already has a token with this name/);
  assert.match(await errorOf(page.locator('[name=ip_allow]')), /10\.0\.0\.0\/33/);
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed');
  await focused(alert());
  assert.match(new URL(page.url()).pathname, /tokens\/[0-9a-f-]+$/);
});

test('a form that another profile overtook says who changed what, and keeps what was typed', async () => {
  await edit('raced');
  await page.locator('[name=description]').fill('typed here');
  const theirs = await other.newPage();
  await edit('raced', theirs);
  await theirs.locator('[name=description]').fill('typed there');
  await review(theirs);
  await confirm(theirs);

  await send(page, save());
  await page.getByText('What you typed is still here').waitFor();
  assert.match(await note(), /You changed this token just now: Description: typed there/);
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed here');
  assert.match(await review(), /typed here, was typed there/, 'the second try is about the state of now');

  // The dialog, too, may be overtaken.
  await edit('raced', theirs);
  await theirs.locator('[name=name]').fill('overtaken');
  await review(theirs);
  await confirm(theirs);
  await theirs.close();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await send(page, dialog(page).getByRole('button', { name: 'Save changes' }));
  await page.getByText('Name: overtaken, was raced').waitFor();
  assert.equal(await dialog(page).isVisible(), false);
  assert.equal(await page.locator('[name=description]').inputValue(), 'typed here');
});

test('a hasty double click asks once, and one at the password saves once', async () => {
  await edit('overtaken');
  await page.locator('[name=description]').fill('clicked twice');
  let asked = 0;
  const count = request => (asked += request.method() === 'POST');
  page.on('request', count);
  await save().dblclick();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  assert.equal(asked, 1);
  await dialog(page).getByRole('button', { name: 'Save changes' }).dblclick();
  await page.waitForURL(url => url.pathname === LIST, { waitUntil: 'load' });
  page.off('request', count);
  assert.match(await page.getByRole('status').first().innerText(), /Saved overtaken\./);
});

test('where the answer got lost, a second confirmation says that the changes were saved', async () => {
  await edit('overtaken');
  await page.locator('[name=description]').fill('saved, but nobody heard');
  await review();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await page.route('**/confirm', async route => (await route.fetch(), route.abort('connectionreset')), { times: 1 });
  const go = dialog(page).getByRole('button', { name: 'Save changes' });
  await go.click();
  assert.match(await dialog(page).getByRole('alert').innerText(), /did not answer. Look whether the change was made/);
  assert.ok(context.faults.splice(0).every(text => /CONNECTION_RESET|htmx:(sendError|afterRequest)/.test(text)));
  await follow(page, go, LIST);
  assert.match(await page.getByRole('status').first().innerText(), /already saved\. Nothing was done again/);
  assert.match(await row('overtaken').innerText(), /nobody heard/);
});

test('a copy has the settings, a free name, and says where it comes from', async () => {
  await at(LIST);
  await row('deploy').getByRole('checkbox').check();
  await follow(page, page.locator('button[name=do][value=copy]'), '/settings/tokens/new');
  assert.match(await page.getByRole('heading', { level: 1 }).innerText(), /from deploy/);
  assert.equal(await page.locator('[name=name]').inputValue(), 'deploy copy');
  assert.equal(await page.locator('[name=rate_per_minute]').inputValue(), '60');
  assert.equal(await page.locator('[name=m]:checked').count(), 1);
  await goOn(page, 'lifetime').click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).getByRole('button', { name: 'Generate token' }).click();
  await page.locator('#value').waitFor();
  await follow(page, page.getByRole('link', { name: 'I saved the value' }), LIST);
  assert.equal(await row('deploy copy').count(), 1);
});

test('a link fills in the form, which says so, ticks what is named and names what is not here', async () => {
  await at('/settings/tokens/new?name=night&m=control:stopenv&m=account:getbalance&lifetime=7&rate_per_minute=5');
  assert.match(await note(), /filled in by a link/);
  assert.equal(await page.locator('[name=name]').inputValue(), 'night');
  assert.equal(await page.locator('[name=lifetime]').inputValue(), '7');
  assert.equal(await page.locator('[name=m]:checked').count(), 2);
  assert.match(await page.locator('.act').innerText(), /2 methods in 2 services/);
  assert.ok(await page.locator('[name=rate_per_minute]').isVisible(), 'limits that the link sets are not folded away');
  await at('/settings/tokens/new?m=control:stopenv&m=control:nothing');
  assert.match(await note(), /names what is not here: control:nothing/);
});

test('a refused method is ticked by the link that allows it', async () => {
  await edit('deploy');
  await page.goto(`${page.url()}?allow=control:startenv`);
  assert.match(await note(), /control:startenv is ticked below and not saved yet/);
  assert.match(await review(), /Adds 1 method: control:startenv/);
});

// Wildcards

const wild = () => page.locator('[data-wild][value$="control:*"]');
const inControl = () => page.locator('.g', { has: page.locator(`[name=m][value$="${STOP}"]`) });
/** What the form sends for its methods. */
const posted = async () => {
  const [request] = await Promise.all([page.waitForRequest(r => r.method() === 'POST'), save().click()]);
  const sent = new URLSearchParams(request.postData());
  await request.response();
  return { set: sent.get('set'), m: sent.getAll('m').sort(), service: sent.getAll('service') };
};

test('a wildcard is a row of its own that holds the methods under it, and goes as itself', async () => {
  await edit('wild');
  assert.ok(await wild().isChecked());
  const held = inControl().locator('[name=m]:not([data-wild])');
  assert.ok(await held.first().isDisabled());
  assert.equal(await held.and(page.locator(':checked')).count(), await held.count());
  const { m, service } = await posted();
  assert.ok(m.some(scope => /control:\*$/.test(scope)) && m.some(scope => /getbalance$/.test(scope)), `${m}`);
  assert.equal(m.length, 2);
  assert.deepEqual(service, []);
});

test('without the wildcard its methods stay ticked and are free; with it again they are held', async () => {
  await edit('wild');
  await wild().uncheck();
  const methods = inControl().locator('[name=m]:not([data-wild])'),
    n = await methods.count();
  assert.equal(await methods.and(page.locator(':checked')).count(), n);
  assert.equal(await methods.and(page.locator(':disabled')).count(), 0);
  await page.locator(`[name=m][value$="${STOP}"]`).uncheck();
  const told = await posted();
  assert.equal(told.m.length, n, 'all but one of the service, and the balance');
  await dialog(page).getByRole('button', { name: 'Cancel' }).click();
  await wild().check();
  assert.ok(await page.locator(`[name=m][value$="${STOP}"]`).isChecked());
  assert.equal((await posted()).m.length, 2);
});

test('the box of the service takes the wildcard away with everything, and gives back its methods alone', async () => {
  await edit('wild');
  const box = inControl().locator('[name=service]');
  await box.uncheck();
  assert.equal(await wild().isChecked(), false);
  assert.equal(await inControl().locator('[name=m]:checked').count(), 0);
  await box.check();
  assert.equal(await wild().isChecked(), false, 'whatever is added later is chosen by its own row only');
  const { m, service } = await posted();
  assert.deepEqual([m.length, service.length], [1, 1]);
  assert.match(await dialog(page).innerText(), /Everything in control|control:\*/);
});

test('a set takes the place of the wildcard', async () => {
  await edit('wild');
  const set = page.locator('[name=set]:not([value=custom])').first();
  await set.check();
  assert.equal(await wild().isChecked(), false);
  const sent = await posted();
  assert.deepEqual(sent, { set: await set.inputValue(), m: [], service: [] });
});
