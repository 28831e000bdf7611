// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of shells
// What each shell sources. All ask `lockstep completion SHELL --line`, which prints `word<TAB>about`, a line each, or
// @files where a name of a file is due.

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell): string {
  return `${SCRIPTS[shell].join('\n')}\n`;
}

// Bash breaks words at colons as well: what stands before the last one of an address is on the line already.
const BASH = [
  '# bash: source <(lockstep completion bash)',
  '_lockstep() {',
  '  local word _ i line="${COMP_LINE:0:COMP_POINT}"',
  '  COMPREPLY=()',
  "  while IFS=$'\\t' read -r word _; do",
  '    if [[ $word == @files ]]; then compopt -o default; else COMPREPLY+=("$word"); fi',
  '  done < <(lockstep completion bash --line "$line" 2>/dev/null)',
  '  local last="${line##*[[:space:]]}"',
  '  if [[ $last == *:* && $COMP_WORDBREAKS == *:* ]]; then',
  '    local before="${last%"${last##*:}"}"',
  '    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]="${COMPREPLY[i]#"$before"}"; done',
  '  fi',
  '}',
  'complete -F _lockstep lockstep',
];

const ZSH = [
  '#compdef lockstep',
  '# zsh: source <(lockstep completion zsh), after compinit',
  '_lockstep() {',
  '  local word about',
  '  local -a found',
  "  while IFS=$'\\t' read -r word about; do",
  '    if [[ $word == @files ]]; then _files; return; fi',
  '    found+=("${word//:/\\\\:}:$about")',
  '  done < <(lockstep completion zsh --line "${(j: :)words[1,CURRENT]}" 2>/dev/null)',
  '  _describe lockstep found',
  '}',
  'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _lockstep "$@"; else compdef _lockstep lockstep; fi',
];

const FISH = [
  '# fish: lockstep completion fish | source',
  'function __lockstep_candidates',
  "  lockstep completion fish --line (commandline -cp) 2>/dev/null | string match --invert '@files*'",
  'end',
  "complete -c lockstep -f -a '(__lockstep_candidates)'",
  'complete -c lockstep -l config -r -F',
  "complete -c lockstep -n '__fish_seen_subcommand_from import' -F",
];

const SCRIPTS: Readonly<Record<Shell, readonly string[]>> = { bash: BASH, zsh: ZSH, fish: FISH };
