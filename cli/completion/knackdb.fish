# Completion of the knackdb command for fish. tests/cli/completion.py holds it against the command's own options.

set -l commands import dump replay query stats verify repair snapshot backup migrate bench help
set -l tables execution_patterns user_preferences performance_metrics

complete -c knackdb -f
complete -c knackdb -n "not __fish_seen_subcommand_from $commands" -l help -d 'Print the commands'
complete -c knackdb -n "not __fish_seen_subcommand_from $commands" -l version -d 'Print the version'
complete -c knackdb -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c knackdb -n "__fish_seen_subcommand_from help" -a "$commands"
for command in $commands
    test $command = help; or complete -c knackdb -n "__fish_seen_subcommand_from $command" -l help -d 'Tell more of it'
    contains $command help bench
    or complete -c knackdb -n "__fish_seen_subcommand_from $command" -a '(__fish_complete_directories)'
end

complete -c knackdb -n '__fish_seen_subcommand_from import dump query' -a "$tables"
complete -c knackdb -n '__fish_seen_subcommand_from import' -F
complete -c knackdb -n '__fish_seen_subcommand_from import' -l format -x -a 'csv jsonl sqlite' -d 'Of the file'
complete -c knackdb -n '__fish_seen_subcommand_from import' -l skip-bad -d 'Store the good rows'
complete -c knackdb -n '__fish_seen_subcommand_from dump' -l format -x -a 'csv jsonl' -d 'Of the rows'
complete -c knackdb -n '__fish_seen_subcommand_from dump' -l snapshot -d 'What the newest snapshot holds'
complete -c knackdb -n '__fish_seen_subcommand_from dump' -l as-of -x -d 'An earlier moment'
complete -c knackdb -n '__fish_seen_subcommand_from dump' -s o -l output -r -F -d 'File or folder'
complete -c knackdb -n '__fish_seen_subcommand_from replay' -l table -x -a "$tables" -d 'This one alone'
complete -c knackdb -n '__fish_seen_subcommand_from replay' -l since -x -d 'From a commit or time'
complete -c knackdb -n '__fish_seen_subcommand_from replay' -l until -x -d 'Up to a commit or time'
complete -c knackdb -n '__fish_seen_subcommand_from replay' -l follow -d 'Go on with what is written'
complete -c knackdb -n '__fish_seen_subcommand_from replay' -l format -x -a 'text jsonl' -d 'Of the changes'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l where -x -d 'A condition'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l order-by -x -d 'A column; :desc turns it around'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l limit -x -d 'At most so many rows'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l offset -x -d 'Leave out the first'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l columns -x -d 'These alone'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l format -x -a 'table csv jsonl' -d 'Of the rows'
complete -c knackdb -n '__fish_seen_subcommand_from query' -l as-of -x -d 'An earlier moment'
complete -c knackdb -n '__fish_seen_subcommand_from stats' -l json -d 'For programs'
complete -c knackdb -n '__fish_seen_subcommand_from repair' -l to -x -a '(__fish_complete_directories)' -d 'A new directory'
complete -c knackdb -n '__fish_seen_subcommand_from migrate' -l dry-run -d 'Only say what would be done'
complete -c knackdb -n '__fish_seen_subcommand_from bench' -l rows -x -d 'In the store'
complete -c knackdb -n '__fish_seen_subcommand_from bench' -l in -x -a '(__fish_complete_directories)' -d 'Where it is made'
