// The states of a token's page, and of what is done to one or many: part of states.mjs.

import {
  button,
  dialog,
  edit,
  editDialog,
  editErrors,
  editOwn,
  editStale,
  inGrace,
  list,
  regenerateDialog,
  regenerated,
  save,
  selected,
  send,
  sendPlainly,
  verbDialog,
  wrongPassword,
} from './steps.mjs';
import { OWNER, STOP, generate } from './support.mjs';

/** As a phone has no box above the rows, it offers all that match at once. */
const everyMatch = async page => {
  const box = page.getByLabel('Select all on this page');
  if (await box.isVisible()) await box.check();
  await page.locator('[name=all]').check();
  await page.getByText('60 selected').waitFor({ state: 'attached' });
};
const regenerate = page => button(page, 'Regenerate value…');

export const OF_TOKENS = [
  ['edit', (page, site) => edit(page, site, 'ci-deploy-production')],
  ['edit-long-name', (page, site) => edit(page, site, 'a-name-as-long-as-a-name-may-be-'.padEnd(100, 'x'))],
  ['edit-wildcards', (page, site) => edit(page, site, 'everything')],
  [
    'edit-wildcard-of-service',
    async (page, site) => {
      await editOwn(page, site, { m: ['control:*', 'account:getbalance'], allow: 'control:*', rate_per_minute: '5' });
      await page
        .locator('details', { has: page.locator('[data-wild]') })
        .first()
        .evaluate(el => (el.open = true));
    },
  ],
  [
    'edit-errors',
    async (page, site) => {
      await editErrors(page, site);
      await send(page, save(page));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  [
    'edit-stale',
    async (page, site) => {
      await editStale(page, site);
      await send(page, save(page));
      await page.getByText('What you typed is still here').waitFor();
    },
  ],
  [
    'edit-allow',
    async (page, site) => {
      await edit(page, site, 'backup-nightly');
      await page.goto(`${page.url()}?allow=${STOP}`);
    },
  ],
  ['edit-disabled', (page, site) => editOwn(page, site, { enabled: 'off' })],
  [
    'edit-expired-errors',
    async (page, site) => {
      const name = await editOwn(page, site);
      site.expire(name);
      await page.reload();
      await Promise.all([
        page.waitForResponse(r => /expires_at=2001/.test(r.url())),
        page.locator('[name=expires_at]:visible').fill('2001-01-01'),
      ]);
      await send(page, regenerate(page));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  ['edit-in-grace', inGrace],
  [
    'edit-lost',
    async (page, site) => {
      const name = await editOwn(page, site, { m: [STOP, 'account:getbalance'] });
      site.lose(name, 'platform/control:stopenv', 'platform/control:formerlyhere');
      await page.reload();
      await page
        .locator('details', { has: page.locator('.lost') })
        .first()
        .evaluate(el => (el.open = true));
    },
  ],
  ['edit-dialog', editDialog],
  [
    'edit-dialog-wrong',
    async (page, site) => {
      await editDialog(page, site);
      await wrongPassword(page, dialog(page));
    },
  ],
  [
    'edit-confirm-page',
    async (page, site) => {
      await edit(page, site, 'backup-nightly');
      await page.locator('[name=description]').fill('Every night at three');
      await sendPlainly(page, 'description');
    },
  ],
  [
    'saved',
    async (page, site) => {
      const name = await editOwn(page, site);
      await page.locator('[name=description]').fill('Every night at three');
      await sendPlainly(page, 'description');
      await page.locator('[name=password]').fill(OWNER.password);
      await send(page, button(page, 'Save changes'));
      await page.getByText(`Saved ${name}.`).waitFor();
    },
  ],
  [
    'copy',
    async (page, site) => {
      await selected(page, site, 1);
      await page.locator('button[name=do][value=copy]').click();
      await page.waitForURL(/from=/, { waitUntil: 'load' });
    },
  ],
  [
    'form-by-link',
    (page, site) => page.goto(`${site.url}/settings/tokens/new?name=night&m=${STOP}&lifetime=7&ip_allow=10.0.0.1`),
  ],
  ['regenerate-dialog', regenerateDialog],
  ['regenerate-dialog-disabled', (page, site) => regenerateDialog(page, site, '0', { enabled: 'off' })],
  [
    'regenerate-errors',
    async (page, site) => {
      await edit(page, site, 'ci-deploy-production');
      await page.locator('[name=previous_expires_at]').fill('2040-01-01T12:00');
      await send(page, regenerate(page));
      await page.locator('main').getByRole('alert').waitFor();
    },
  ],
  [
    'regenerate-page',
    async (page, site) => {
      await editOwn(page, site);
      await page
        .locator('#regen')
        .evaluate(form => (form.removeAttribute('hx-post'), HTMLFormElement.prototype.submit.call(form)));
      await page.locator('[name=password]').waitFor();
    },
  ],
  ['regenerated', regenerated],
  [
    'end-grace-dialog',
    async (page, site) => {
      await inGrace(page, site);
      await button(page, 'End grace now…').click();
      await dialog(page).locator('[name=password]').waitFor();
    },
  ],
  ['list-in-grace', async (page, site) => (await regenerated(page, site), list(page, site, '?q=of-one'))],
  ['disable-dialog', (page, site) => verbDialog(page, site, 'disable')],
  ['enable-dialog', (page, site) => verbDialog(page, site, 'enable', 1)],
  [
    'disable-page',
    async (page, site) => {
      await selected(page, site, 2);
      await sendPlainly(page, 'id', { do: 'disable' });
    },
  ],
  [
    'found-by-value',
    async (page, site) => {
      const name = `of-a-value-${Math.random()}`;
      const value = await generate(page.context(), site, { name });
      await list(page, site);
      await page.locator('[name=q]').fill(value);
      await Promise.all([page.waitForEvent('load'), page.locator('[name=q]').press('Enter')]);
      await page.getByText('The pasted value is that of').waitFor();
    },
  ],
];

/** Of a list of more than one page. */
export const OF_MANY = [
  [
    'list-second-page',
    async (page, site) => {
      await list(page, site, '?q=bulk&sort=name');
      await page.locator('#older').click();
      await page.waitForURL(/after=/);
    },
  ],
  [
    'list-all-selected',
    async (page, site) => {
      await list(page, site, '?q=bulk');
      await everyMatch(page);
    },
  ],
  [
    'remove-all-dialog',
    async (page, site) => {
      await list(page, site, '?q=bulk');
      await everyMatch(page);
      await page.locator('button[name=do][value=remove]').click();
      await dialog(page).locator('[name=password]').waitFor();
    },
  ],
  [
    'list-one-wanted',
    async (page, site) => {
      await selected(page, site, 2);
      await sendPlainly(page, 'id', { do: 'edit' });
    },
  ],
];
