// How a team keeps what a leaver made: invited, in a team, a service account and its token, a colleague's new value, the leaver's own
// token handed on, and the log that tells it.

import assert from 'node:assert/strict';
import test, { after, afterEach, before } from 'node:test';
import { button, dialog, send } from './steps.mjs';
import { OWNER, STOP, follow, formWith, goOn, importPlatform, profile, setUp, stage, verify } from './support.mjs';

const PASSWORD = 'nine quiet harbours sleep';
const people = {};
let owner, page;
const here = stage({ before, after }, async ({ browser, site }) => {
  owner = await profile(browser, site);
  await setUp(owner, site);
  await importPlatform(owner, site);
  page = await owner.newPage();
});
const everybody = () => [owner, ...Object.values(people).map(({ context }) => context)];
afterEach(() => assert.deepEqual(everybody().flatMap(context => context.faults.splice(0)), []));

const at = (of, path) => of.goto(here.site.url + path);
/** Goes on to the dialog, confirms, and waits for what comes. */
const confirmed = async (of, field, password, done) => {
  await goOn(of, field).click();
  await dialog(of).locator('[name=password]').fill(password);
  await dialog(of).locator('[data-go]').click();
  await done();
};
const shown = of => async () => of.locator('#value').waitFor();
const worth = value => verify(owner, here.site, value);
const invite = async (name, email) => {
  await at(page, '/admin/accounts/new');
  await page.locator('main [name=name]').fill(name);
  await page.locator('[name=email]').fill(email);
  await page.locator('[name=role]').selectOption('contributor');
  await confirmed(page, 'email', OWNER.password, shown(page));
  const link = new URL(await page.locator('#value').inputValue());
  const context = await profile(here.browser, here.site);
  const of = await context.newPage();
  await at(of, link.pathname);
  await of.locator('[name=password]').fill(PASSWORD);
  await send(of, button(of, 'Set password and sign in'));
  return { context, page: of };
};

test('what a leaver made goes on under the team, and the log tells the story in order', async () => {
  people.ada = await invite('Ada Brandt', 'ada@example.com');
  people.jan = await invite('Jan Novák', 'jan@example.com');

  await at(page, '/admin/teams/new');
  await page.locator('[name=name]').fill('Payments');
  await page.locator('[name=manager]').fill('ada@example.com');
  await confirmed(page, 'manager', OWNER.password, () => page.waitForURL(/\/admin\/teams\/[0-9a-f-]+/));
  await page.locator('[name=email]').fill('jan@example.com');
  const add = formWith(page, 'email').locator('[data-go]');
  await add.click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await Promise.all([page.waitForEvent('load'), dialog(page).locator('[data-go]').click()]);

  const ada = people.ada.page;
  await at(ada, '/admin/service-accounts/new');
  await ada.locator('[name=name]').fill('svc-jenkins');
  await ada.locator('[name=owner]').selectOption({ label: 'Team Payments' });
  await confirmed(ada, 'role', PASSWORD, () => ada.waitForURL(/\/admin\/service-accounts\/[0-9a-f-]+/));
  await ada.getByRole('link', { name: 'Generate token' }).click();
  await ada.locator('main [name=name]').fill('deploy');
  await ada.locator('[name=mq]').fill('stopenv');
  await ada.locator(`[name=m][value$="${STOP}"]`).check();
  await confirmed(ada, 'lifetime', PASSWORD, shown(ada));
  const first = await ada.locator('#value').inputValue();
  assert.equal(await worth(first), 200);

  const jan = people.jan.page;
  await at(jan, '/settings/tokens');
  await jan.getByRole('link', { name: 'Payments' }).first().click();
  await follow(jan, jan.getByRole('link', { name: 'deploy', exact: true }), /^\/settings\/tokens\/[0-9a-f-]+$/);
  await jan.locator('[name=grace][value="0"]').check();
  await jan.getByRole('button', { name: 'Regenerate value…' }).click();
  await dialog(jan).locator('[name=password]').fill(PASSWORD);
  await dialog(jan).getByRole('button', { name: 'Regenerate value' }).click();
  await jan.locator('#value').waitFor();
  const second = await jan.locator('#value').inputValue();
  assert.deepEqual([await worth(first), await worth(second)], [401, 200]);

  await at(ada, '/settings/tokens/new');
  await ada.locator('main [name=name]').fill('nightly');
  await ada.locator('[name=mq]').fill('stopenv');
  await ada.locator(`[name=m][value$="${STOP}"]`).check();
  await confirmed(ada, 'lifetime', PASSWORD, shown(ada));
  const hers = await ada.locator('#value').inputValue();

  await at(page, '/admin/accounts');
  await page.getByRole('link', { name: 'Ada Brandt' }).click();
  await button(page, 'Disable…').click();
  await page.waitForURL(/leave/);
  await page.locator('main select').first().selectOption({ label: 'Payments' });
  await page.locator('main form [data-go]').last().click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).locator('[data-go]').click();
  await page.locator('#value-1').waitFor();
  const next = await page.locator('#value-1').inputValue();
  assert.deepEqual([await worth(hers), await worth(next), await worth(second)], [401, 200, 200]);
  await ada.goto(`${here.site.url}/settings/tokens`);
  assert.equal(new URL(ada.url()).pathname, '/login');

  const told = here.site.sql('SELECT action FROM events ORDER BY number').trim().split('\n');
  const story = [
    'account.invite',
    'account.accept',
    'account.invite',
    'account.accept',
    'team.make',
    'team.add_member',
    'account.generate',
    'token.generate',
    'token.regenerate',
    'token.generate',
    'token.hand_over',
    'account.disable',
  ];
  let place = 0;
  for (const action of told) if (action === story[place]) place += 1;
  assert.equal(place, story.length, `after ${story[place - 1]} of ${told}`);
  await at(page, '/admin/audit');
  const text = await page.locator('main').innerText();
  for (const part of ['Ada Brandt', 'Jan Novák', 'svc-jenkins', 'deploy', 'nightly']) assert.ok(text.includes(part), part);
});
