# fish completion for oobctl.  Installed in fish/vendor_completions.d.

function __oobctl_words
	set -l helper /usr/local/share/oobd/oobctl-words
	set -q OOBCTL_WORDS; and set helper $OOBCTL_WORDS
	set -l typed (commandline -opc)
	set -l current (commandline -ct)
	set -l program $typed[1]
	type -q $program; or set program oobctl
	for line in (env OOBCTL=$program $helper $typed[2..-1] "$current" \
	    2>/dev/null)
		switch $line
		case :file
			__fish_complete_path "$current"
		case :dir
			__fish_complete_directories "$current" ''
		case '*'
			echo $line
		end
	end
end

complete -c oobctl -f -a '(__oobctl_words)'
