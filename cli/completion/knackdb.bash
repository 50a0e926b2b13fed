# Completion of the knackdb command for bash. tests/cli/completion.py holds it against the command's own options.

_knackdb_words() {
    local word
    COMPREPLY=()
    while read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$2")
}

_knackdb_paths() { # -d: directories alone
    local path
    COMPREPLY=()
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$2")
}

_knackdb() {
    local commands='import dump replay query stats verify repair snapshot backup migrate bench help'
    local tables='execution_patterns user_preferences performance_metrics'
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    local options= formats= positionals= taking_value=

    if ((COMP_CWORD == 1)); then
        _knackdb_words "$commands --help --version" "$current"
        return
    fi
    case $command in
        import)
            options='--format --skip-bad' formats='csv jsonl sqlite' positionals='directory table file'
            taking_value='--format' ;;
        dump)
            options='--format --snapshot --as-of --output -o' formats='csv jsonl' positionals='directory table'
            taking_value='--format --as-of --output -o' ;;
        replay)
            options='--table --since --until --follow --format' formats='text jsonl' positionals='directory'
            taking_value='--table --since --until --format' ;;
        query)
            options='--where --order-by --limit --offset --columns --format --as-of' formats='table csv jsonl'
            positionals='directory table'
            taking_value=$options ;;
        stats) options='--json' positionals='directory' ;;
        verify | snapshot) positionals='directory' ;;
        repair) options='--to' positionals='directory' taking_value='--to' ;;
        backup) positionals='directory directory' ;;
        migrate) options='--dry-run' positionals='directory' ;;
        bench) options='--rows --in' taking_value='--rows --in' ;;
        help)
            ((COMP_CWORD > 2)) || _knackdb_words "$commands" "$current"
            return ;;
        *) return ;;
    esac
    options="$options --help"

    # The value of the option before it; with = between them bash gives three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
        --format) _knackdb_words "$formats" "$current"; return ;;
        --table) _knackdb_words "$tables" "$current"; return ;;
        --to | --in) _knackdb_paths -d "$current"; return ;;
        --output | -o) _knackdb_paths -f "$current"; return ;;
    esac
    [[ " $taking_value " != *" $previous "* ]] || return
    if [[ $current == -* ]]; then
        _knackdb_words "$options" "$current"
        return
    fi

    # Which of the words without a name is it?
    local index seen=0 kind word
    for ((index = 2; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if [[ " $taking_value " == *" $word "* ]]; then
            ((index += 1))
            [[ ${COMP_WORDS[index]} != = ]] || ((index += 1))
        elif [[ $word != -* ]]; then
            ((seen += 1))
        fi
    done
    for kind in $positionals; do
        ((seen--)) && continue
        case $kind in
            directory) _knackdb_paths -d "$current" ;;
            table) _knackdb_words "$tables" "$current" ;;
            file) _knackdb_paths -f "$current" ;;
        esac
        return
    done
}

complete -F _knackdb knackdb
