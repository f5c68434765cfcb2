// The states of Administration → All tokens: part of states.mjs.

import { button, dialog, wrongPassword } from './steps.mjs';

const all = (page, site, query = '') => page.goto(`${site.url}/admin/tokens${query}`);
const chosen = async (page, site, n = 2) => {
  await all(page, site);
  const boxes = page.locator('tbody input[type=checkbox]');
  for (let i = 0; i < n; i++) await boxes.nth(i).check();
};
const pressed = async (page, site, verb) => {
  await chosen(page, site);
  await button(page, verb).click();
  await dialog(page).waitFor();
};

export const OF_EVERYBODY = [
  ['all-tokens', 'owner', all],
  ['all-tokens-broad', 'owner', (page, site) => all(page, site, '?status=broad')],
  ['all-tokens-none', 'owner', (page, site) => all(page, site, '?status=disabled&q=nothing')],
  ['all-tokens-found', 'owner', (page, site) => all(page, site, '?q=maria&sort=name')],
  ['all-tokens-selected', 'owner', chosen],
  [
    'all-tokens-of-owner',
    'owner',
    async (page, site) => {
      await all(page, site);
      await page.locator('tbody tr td:nth-child(4) a').first().click();
      await page.getByText('Show everybody’s').waitFor();
    },
  ],
  [
    'all-tokens-nothing-selected',
    'owner',
    async (page, site) => {
      await all(page, site);
      await page.evaluate(() => document.querySelectorAll('[hx-post]').forEach(el => el.removeAttribute('hx-post')));
      await page.locator('button[name=do][value=disable]').evaluate(el => el.form.requestSubmit(el));
      await page.getByText('Select at least one token').waitFor();
    },
  ],
  ['all-tokens-disable', 'owner', (page, site) => pressed(page, site, 'Disable')],
  [
    'all-tokens-remove-wrong',
    'owner',
    async (page, site) => {
      await pressed(page, site, 'Remove');
      await wrongPassword(page, dialog(page));
    },
  ],
  ['all-tokens-expiry', 'owner', (page, site) => pressed(page, site, 'Set expiry')],
  [
    'all-tokens-expiry-error',
    'owner',
    async (page, site) => {
      await pressed(page, site, 'Set expiry');
      await dialog(page).locator('form').evaluate(el => (el.noValidate = true));
      await dialog(page).locator('[name=expires_at]').fill('2001-01-01');
      await dialog(page).getByRole('button', { name: 'Go on…' }).click();
      await dialog(page).getByText('That day is in the past.').waitFor();
    },
  ],
  [
    'all-tokens-expiry-confirm',
    'owner',
    async (page, site) => {
      await pressed(page, site, 'Set expiry');
      const day = new Date(Date.now() + 5 * 864e5).toISOString().slice(0, 10);
      await dialog(page).locator('[name=expires_at]').fill(day);
      await dialog(page).getByRole('button', { name: 'Go on…' }).click();
      await dialog(page).locator('[name=password]').waitFor();
    },
  ],
];
