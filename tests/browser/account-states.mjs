// The states of the pages of people, of invitations and of leaving: part of states.mjs.

import { button, dialog, send, sendPlainly, wrongPassword } from './steps.mjs';
import { OWNER, goOn, profile, signIn } from './support.mjs';

const PASSWORD = 'four purple lamps glow';
const accounts = (page, site, query = '') => page.goto(`${site.url}/admin/accounts${query}`);
const account = async (page, site, name) => {
  await accounts(page, site);
  await page.getByRole('link', { name, exact: true }).click();
  await page.waitForURL(/accounts\/[0-9a-f-]+$/, { waitUntil: 'load' });
};
const invitation = (page, site) => page.goto(`${site.url}/admin/accounts/new`);
let invited = 0;
/** Each look invites somebody of its own. */
const filled = async (page, site) => {
  await invitation(page, site);
  const n = ++invited;
  await page.locator('main [name=name]').fill(`Tomasz Okafor ${n}`);
  await page.locator('[name=email]').fill(`t.okafor-${n}@example.com`);
};
const confirmInvitation = async (page, site) => {
  await filled(page, site);
  await goOn(page, 'email').click();
  await dialog(page).locator('[name=password]').waitFor();
};
const link = async (page, site) => {
  await confirmInvitation(page, site);
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await button(page, 'Make the link').click();
  await page.locator('#value').waitFor();
  return new URL(await page.locator('#value').inputValue()).pathname;
};
/** As somebody else, beside the profile that looks. */
const asOwner = async (page, site, steps) => {
  const context = await profile(page.context().browser(), site);
  try {
    await signIn(context, site);
    return await steps(await context.newPage());
  } finally {
    await context.close();
  }
};
const leave = async (page, site, name) => {
  await account(page, site, name);
  await button(page, 'Disable…').click();
  await page.waitForURL(/leave/);
};

/** One to leave for each look, one with nothing, one invited, one disabled, and a team. */
export const withPeople = async (owner, site) => {
  site.sql(
    `INSERT INTO teams (id, name, created_at, version, description) VALUES ('t-payments', 'Payments', '2026-11-23 09:40:00', 1, '')`,
  );
  const page = await owner.newPage();
  for (const name of ['Lena Brandt', 'Jan Novák', 'Ines Vogel', 'Ana Lucía de la Fuente y Mendoza-Castellanos']) {
    await invitation(page, site);
    await page.locator('main [name=name]').fill(name);
    await page.locator('[name=email]').fill(`${name.toLowerCase().split(' ')[0]}@example.com`);
    await goOn(page, 'email').click();
    await dialog(page).locator('[name=password]').fill(OWNER.password);
    await button(page, 'Make the link').click();
    const to = new URL(await page.locator('#value').inputValue()).pathname;
    if (!/Brandt|Novák/.test(name)) continue;
    const context = await profile(page.context().browser(), site);
    const other = await context.newPage();
    await other.goto(site.url + to);
    await other.locator('[name=password]').fill(PASSWORD);
    await send(other, button(other, 'Set password and sign in'));
    for (const token of ['ci-deploy', 'backup']) {
      await other.goto(`${site.url}/settings/tokens/new`);
      await other.locator('main [name=name]').fill(token);
      await other.locator('[name=mq]').fill('stopenv');
      await other.locator('[name=m]:visible').first().check();
      await goOn(other, 'lifetime').click();
      await dialog(other).locator('[name=password]').fill(PASSWORD);
      await button(other, 'Generate token').click();
      await other.locator('#value').waitFor();
    }
    await context.close();
  }
  await account(page, site, 'Ines Vogel');
  await button(page, 'Disable…').click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await Promise.all([page.waitForEvent('load'), button(page, 'Disable account').click()]);
  await page.close();
};

let leavers = ['Lena Brandt', 'Jan Novák'];
export const OF_PEOPLE = [
  ['accounts', accounts],
  ['accounts-search', (page, site) => accounts(page, site, '?q=no')],
  ['accounts-nobody', (page, site) => accounts(page, site, '?q=zz&role=admin')],
  ['accounts-invited', (page, site) => accounts(page, site, '?status=invited')],
  ['account', (page, site) => account(page, site, 'Jan Novák')],
  ['account-own', (page, site) => account(page, site, OWNER.name)],
  ['account-invited', (page, site) => account(page, site, 'Ana Lucía de la Fuente y Mendoza-Castellanos')],
  ['account-disabled', (page, site) => account(page, site, 'Ines Vogel')],
  [
    'account-role-dialog',
    async (page, site) => {
      await account(page, site, 'Jan Novák');
      await page.locator('[name=role]').selectOption('viewer');
      await button(page, 'Save role…').click();
      await dialog(page).locator('[name=password]').waitFor();
    },
  ],
  [
    'account-role-page-wrong',
    async (page, site) => {
      await account(page, site, 'Jan Novák');
      await page.locator('[name=role]').selectOption('viewer');
      await sendPlainly(page, 'role');
      await wrongPassword(page, page.locator('main'));
    },
  ],
  [
    'account-stale',
    async (page, site) => {
      await account(page, site, 'Jan Novák');
      await page.locator('[name=role]').selectOption('viewer');
      await page.locator('[name=seen]').evaluateAll(fields => fields.forEach(field => (field.value = '1')));
      await send(page, button(page, 'Save role…'));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  ['invite', invitation],
  [
    'invite-errors',
    async (page, site) => {
      await invitation(page, site);
      await page.locator('[name=email]').fill(OWNER.email);
      await send(page, goOn(page, 'email'));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  ['invite-dialog', confirmInvitation],
  ['invite-link', link],
  ['leave', (page, site) => leave(page, site, 'Jan Novák')],
  [
    'leave-dialog',
    async (page, site) => {
      await leave(page, site, 'Jan Novák');
      await page.locator('main select').first().selectOption({ label: 'Payments' });
      await page.locator('main select').last().selectOption('remove');
      await page.locator('main [data-go]').click();
      await dialog(page).locator('[name=password]').waitFor();
    },
  ],
  [
    'left',
    async (page, site) => {
      await leave(page, site, leavers.pop());
      for (const choice of await page.locator('main select').all()) await choice.selectOption({ label: 'Payments' });
      await page.locator('main [data-go]').click();
      await dialog(page).locator('[name=password]').fill(OWNER.password);
      await button(page, 'Disable account').click();
      await page.locator('.value').first().waitFor();
    },
  ],
];

export const INVITED = [
  ['invitation', async (page, site) => page.goto(site.url + (await asOwner(page, site, owner => link(owner, site))))],
  [
    'invitation-errors',
    async (page, site) => {
      await page.goto(site.url + (await asOwner(page, site, owner => link(owner, site))));
      await page.locator('[name=password]').fill('short');
      await send(page, button(page, 'Set password and sign in'));
    },
  ],
  ['invitation-dead', (page, site) => page.goto(`${site.url}/invite/no-such-link`)],
];
