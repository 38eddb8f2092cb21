// An OpenID provider (npm oidc-provider) whose person signs in by being sent: with a password, and with a code where an
// acr of "urn:mfa" is essential. Started with the folder of node_modules and a port; says "up" when it listens.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, port] = process.argv.slice(2);
const entry = createRequire(path.join(modules, 'x.js')).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(entry).href);

const issuer = `http://127.0.0.1:${port}`;
const bank = 'https://bank.example';

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'shop',
    token_endpoint_auth_method: 'none',
    redirect_uris: ['https://shop.example/back'],
    grant_types: ['authorization_code', 'refresh_token'],
  }],
  scopes: ['openid', 'offline_access'],
  acrValues: ['urn:pwd', 'urn:mfa'],
  claims: { openid: ['sub'], acr: null, amr: null, auth_time: null },
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_ctx, interaction) => `/sign-in/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    claimsParameter: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => bank,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: 'openid',
        audience: bank,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  issueRefreshToken: () => true,
  extraTokenClaims: (ctx) => {
    const { acr, amr, authTime } = ctx.oidc.entities.AuthorizationCode ?? ctx.oidc.entities.RefreshToken;
    return { acr, amr, auth_time: authTime };
  },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope('openid offline_access');
    grant.addOIDCClaims(['acr', 'amr', 'auth_time']);
    grant.addResourceScope(bank, 'openid');
    await grant.save();
    return grant;
  },
});

async function signIn(ctx) {
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const asked = params.claims ? JSON.parse(params.claims).id_token?.acr : undefined;
  const strong = asked?.essential && asked.values?.includes('urn:mfa');
  const login = {
    accountId: params.login_hint ?? 'alice',
    acr: strong ? 'urn:mfa' : 'urn:pwd',
    amr: strong ? ['pwd', 'otp'] : ['pwd'],
  };
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, { login }, { mergeWithLastSubmission: false });
}

provider.use(async (ctx, next) => (ctx.path.startsWith('/sign-in/') ? signIn(ctx) : next()));
provider.listen(Number(port), '127.0.0.1', () => console.log('up'));
