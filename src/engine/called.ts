/**
 * How to call Muster, in what it tells people to type. npm sets `npm_command` for what it starts (`npx`, `npm run`): where that was how it was
 * called, `npx muster` finds it again. Elsewhere it would offer somebody else's package of that name.
 */
export const called = process.env['npm_command'] === undefined ? 'muster' : 'npx muster';
