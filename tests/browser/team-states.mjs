// The states of teams, service accounts and their tokens: part of states.mjs.

import { dialog, form, openDetails, send, sendPlainly } from './steps.mjs';
import { OWNER, goOn } from './support.mjs';

const teams = (page, site) => page.goto(`${site.url}/admin/teams`);
const services = (page, site) => page.goto(`${site.url}/admin/service-accounts`);
const follow = (page, name) => Promise.all([page.waitForEvent('load'), page.getByRole('link', { name, exact: true }).first().click()]);
const team = async (page, site) => (await teams(page, site), follow(page, 'Payments'));
const service = async (page, site) => (await services(page, site), follow(page, 'svc-jenkins'));
/** Presses, and gives the password in the dialog that comes. */
const confirmed = async (page, locator) => {
  await locator.click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await Promise.all([page.waitForEvent('load'), dialog(page).locator('[data-go]').click()]);
};
const asked = async (page, locator) => {
  await locator.click();
  await dialog(page).locator('[name=password]').waitFor();
};
const newTeam = (page, site) => page.goto(`${site.url}/admin/teams/new`);
const newService = (page, site) => page.goto(`${site.url}/admin/service-accounts/new`);
const forNew = async (page, site) => {
  await form(page, site);
  await Promise.all([page.locator('[name=service_name]').waitFor(), page.locator('[name=owner]').selectOption('new')]);
};

/** Two teams, and a service account with a token in one of them. */
export const makeTeams = async (site, { desk: { owner } }) => {
  const page = await owner.newPage();
  for (const [name, description] of [
    ['Payments', 'Cards, invoices and the nightly settlement'],
    ['a-name-as-long-as-that-of-a-team-may-be-'.padEnd(100, 'x'), ''],
  ]) {
    await newTeam(page, site);
    await page.locator('[name=name]').fill(name);
    await page.locator('[name=description]').fill(description);
    await confirmed(page, goOn(page, 'manager'));
  }
  await newService(page, site);
  await page.locator('[name=name]').fill('svc-jenkins');
  await page.locator('[name=description]').fill('Builds and deploys');
  await page.locator('[name=owner]').selectOption({ label: 'Team Payments' });
  await confirmed(page, goOn(page, 'role'));
  await page.getByRole('link', { name: 'Generate token' }).click();
  await page.locator('[name=name]').fill('deploy');
  await page.locator('[name=set]:not([value=custom])').first().check();
  await goOn(page, 'lifetime').click();
  await dialog(page).locator('[name=password]').fill(OWNER.password);
  await dialog(page).locator('[data-go]').click();
  await page.locator('#value').waitFor();
  await page.close();
};

export const OF_NO_TEAM = [
  ['teams-empty', teams],
  ['service-accounts-empty', services],
];

export const OF_TEAMS = [
  ['teams', teams],
  ['teams-nothing-found', (page, site) => page.goto(`${site.url}/admin/teams?q=no+such+team`)],
  ['team-new', newTeam],
  [
    'team-new-errors',
    async (page, site) => {
      await newTeam(page, site);
      await page.locator('[name=name]').fill('a, b');
      await page.locator('[name=manager]').fill('nobody@example.com');
      await send(page, goOn(page, 'manager'));
    },
  ],
  [
    'team-new-page',
    async (page, site) => {
      await newTeam(page, site);
      await page.locator('[name=name]').fill('Another');
      await sendPlainly(page, 'manager');
    },
  ],
  ['team', team],
  ['team-edit', async (page, site) => (await team(page, site), openDetails(page, 'name'))],
  [
    'team-add-errors',
    async (page, site) => {
      await team(page, site);
      await page.locator('[name=email]').fill('nobody@example.com');
      await send(page, goOn(page, 'email'));
    },
  ],
  ['service-accounts', services],
  ['service-account-new', newService],
  [
    'service-account-new-errors',
    async (page, site) => {
      await newService(page, site);
      await page.locator('[name=name]').fill('svc@example.com');
      await page.locator('[name=owner_other]').fill('nobody');
      await send(page, goOn(page, 'role'));
    },
  ],
  ['service-account', service],
  [
    'service-account-edit',
    async (page, site) => (await service(page, site), await openDetails(page, 'role'), openDetails(page, 'owner')),
  ],
  [
    'service-account-remove-dialog',
    async (page, site) => (await service(page, site), asked(page, page.getByRole('button', { name: 'Remove…' }))),
  ],
  [
    'service-account-activity',
    async (page, site) => (await service(page, site), follow(page, 'Activity')),
  ],
  ['form-for-new-service-account', forNew],
  [
    'form-for-new-service-account-errors',
    async (page, site) => {
      await forNew(page, site);
      await send(page, goOn(page, 'lifetime'));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  ['list-of-team', async (page, site) => (await team(page, site), follow(page, 'Tokens'))],
  [
    'list-of-team-empty',
    async (page, site) => {
      await page.goto(`${site.url}/settings/tokens`);
      await page.locator('nav[aria-label="Whose tokens"] a').last().click();
      await page.getByText('No tokens of this team yet').waitFor();
    },
  ],
  [
    'edit-of-team',
    async (page, site) => {
      await team(page, site);
      await follow(page, 'Tokens');
      await follow(page, 'deploy');
    },
  ],
];
