# bash completion for oobctl.  Installed as bash-completion/completions/oobctl;
# without that package: source it from ~/.bashrc.

_oobctl()
{
	local current="${COMP_WORDS[COMP_CWORD]}" program="${COMP_WORDS[0]}"
	local words="${OOBCTL_WORDS:-/usr/local/share/oobd/oobctl-words}"
	local kind= word _

	COMPREPLY=()
	command -v "$program" >/dev/null || program=oobctl
	while IFS=$'\t' read -r word _; do
		case $word in
		:file)	kind=file ;;
		:dir)	kind=directory ;;
		*)	COMPREPLY+=("$word") ;;
		esac
	done < <(OOBCTL="$program" "$words" \
	    "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	test -n "$kind" || return 0
	compopt -o filenames 2>/dev/null
	while IFS= read -r word; do
		COMPREPLY+=("$word")
	done < <(compgen -A "$kind" -- "$current")
}

complete -F _oobctl oobctl
