// An OpenID provider on loopback, in memory: it takes any name, and any password, in its own forms.
// It reads one line, the clients as JSON, and prints its issuer once it listens.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const lines = createInterface({ input: process.stdin });
const { value } = await lines[Symbol.asyncIterator]().next();
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: JSON.parse(value),
    claims: { profile: ['preferred_username'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false, // claims of scopes are in the ID token, as Keycloak has them
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, email: `${id}@bank.example`, email_verified: false }),
    }),
    features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    cookies: { keys: ['of a test alone'] },
  });
  server.on('request', provider.callback());
  process.stdout.write(`${issuer}\n`);
});
lines.on('close', () => process.exit(0)); // whoever began it has ended
