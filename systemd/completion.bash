# bash completion for metergate. The options come from the program's own help, so they are those it has.
_metergate()
{
    local cur=$2 prev=$3 command=${COMP_WORDS[1]} words=
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="$(metergate --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p') --help --version"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        return
    fi
    case $prev in
        --log-level) words='error warning info debug' ;;
        --log-format) words='text json' ;;
        --table) words='coil discrete input holding' ;;
        --modes) words='8N1 8E1 8N2 8O1' ;;
        --protocols) words='modbus dlt645' ;;
        --bauds) words='9600 19200 38400 115200 4800 2400' ;;
        --format)
            words='jsonl csv'
            [[ $command == trace ]] && words='text jsonl pcapng'
            ;;
        --lane) words='readings results events' ;;
        --delivery) words='broker receipt' ;;
        --remote-allow) words='meters all' ;;
        --http) words='127.0.0.1:9464' ;;
        --profile) words=$(metergate profiles 2>/dev/null | sed -n 's/^\([a-z0-9][a-z0-9_-]*\)\( .*\)\{0,1\}$/\1/p') ;;
        --meters | --config | --store | --control | --remote-key | --*-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            return
            ;;
        --profile-dir | --remote)
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
            return
            ;;
    esac
    # bash counts the '@' of an @FILE as a word of its own, and as the beginning of what is completed.
    if [[ $prev == @ ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "${cur#@}")
        return
    fi
    if [[ -z $words && $cur == -* ]]; then
        words=$(metergate "$command" --help 2>/dev/null | grep -o -e '--[a-z][a-z-]*')
    elif [[ -z $words && $command == profiles ]]; then
        words=$(metergate profiles 2>/dev/null | sed -n 's/^\([a-z0-9][a-z0-9_-]*\)\( .*\)\{0,1\}$/\1/p')
    elif [[ -z $words && $command == sign ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
    elif [[ -z $words && $command == store ]]; then
        words='waiting drops dead commands export'
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -F _metergate metergate
