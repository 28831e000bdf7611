// ${NAME} in a text of the file stands for an environment variable; $${ stands for ${ itself.
// A variable that is not set is a problem that names it: a token must not quietly become the empty text.

export type Expanded =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problems: readonly string[] };

const REFERENCE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;

export function expandText(text: string, env: Readonly<Record<string, string | undefined>>): Expanded {
  const problems: string[] = [];
  const expanded = text.replace(REFERENCE, (match, name: string | undefined) => {
    if (match === '$${') return '${';
    if (name === undefined) {
      problems.push(
        `expected \${NAME} of letters, digits and _, got another \${ (write $$\{ for the characters themselves)`,
      );
      return '';
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined)
      problems.push(`expected the environment variable ${name} to be set, got nothing`);
    return value ?? '';
  });
  return problems.length === 0 ? { ok: true, text: expanded } : { ok: false, problems };
}
