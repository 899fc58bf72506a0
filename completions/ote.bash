# bash completion of ote; made from the command tree by ote-docgen; do not edit
# shellcheck shell=bash

__ote_verbs() {
  REPLY=''
  case "$1" in
    'ote') REPLY='quickstart cluster data fl model context explain version completion help' ;;
    'ote cluster') REPLY='init join list show tree label remove token start stop status' ;;
    'ote cluster token') REPLY='create list revoke' ;;
    'ote data') REPLY='add list show remove split' ;;
    'ote fl') REPLY='run simulate list show logs watch cancel' ;;
    'ote model') REPLY='list show export evaluate predict' ;;
    'ote context') REPLY='list use show' ;;
  esac
}

__ote_flags() {
  REPLY=''
  case "$1" in
    'ote quickstart') REPLY='--dir --keep --rounds --seed' ;;
    'ote cluster init') REPLY='--listen --advertise --heartbeat --certificate-life --no-start --dry-run --request-id' ;;
    'ote cluster join') REPLY='--token-file --name --label --replace --no-start --dry-run --request-id' ;;
    'ote cluster list') REPLY='-l --selector' ;;
    'ote cluster label') REPLY='--dry-run --request-id' ;;
    'ote cluster remove') REPLY='--dry-run --request-id' ;;
    'ote cluster token create') REPLY='--ttl --uses --label --dry-run --request-id' ;;
    'ote cluster token revoke') REPLY='--dry-run --request-id' ;;
    'ote cluster start') REPLY='--dry-run --request-id' ;;
    'ote cluster stop') REPLY='--force --dry-run --request-id' ;;
    'ote data add') REPLY='--path --label --label-path --ignore --format --task --test-fraction --split-seed --replace --dry-run --request-id' ;;
    'ote data remove') REPLY='--dry-run --request-id' ;;
    'ote data split') REPLY='--label --label-path --ignore --format --task --parts --dirichlet --seed --test-fraction --names --out --dry-run --request-id' ;;
    'ote fl run') REPLY='-f --file --name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --clusters -l --selector --fraction --minimum --deadline --seed --detach --dry-run --request-id' ;;
    'ote fl simulate') REPLY='-f --file --name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --clusters -l --selector --fraction --minimum --deadline --seed --sites --data --label --label-path --ignore --format --dirichlet --test-fraction --absent --arrival-seed --save' ;;
    'ote fl logs') REPLY='-f --follow' ;;
    'ote fl cancel') REPLY='--dry-run --request-id' ;;
    'ote model export') REPLY='--format --to --force --dry-run --request-id' ;;
    'ote model evaluate') REPLY='--data --label --label-path --ignore --format' ;;
    'ote model predict') REPLY='--data --label --label-path --ignore --format' ;;
    'ote context use') REPLY='--dry-run --request-id' ;;
    'ote context show') REPLY='--origin' ;;
  esac
  REPLY="$REPLY --help -o --output -q --quiet --state --context --timeout -y --yes --progress --color"
}

__ote_value() {
  REPLY=''
  case "$1" in
    'ote quickstart --dir') REPLY='@file' ;;
    'ote quickstart --rounds') REPLY='@none' ;;
    'ote quickstart --seed') REPLY='@none' ;;
    'ote cluster init --listen') REPLY='@none' ;;
    'ote cluster init --advertise') REPLY='@none' ;;
    'ote cluster init --heartbeat') REPLY='@none' ;;
    'ote cluster init --certificate-life') REPLY='@none' ;;
    'ote cluster join --token-file') REPLY='@file' ;;
    'ote cluster join --name') REPLY='@none' ;;
    'ote cluster join --label') REPLY='@none' ;;
    'ote cluster list -l' | 'ote cluster list --selector') REPLY='@none' ;;
    'ote cluster token create --ttl') REPLY='@none' ;;
    'ote cluster token create --uses') REPLY='@none' ;;
    'ote cluster token create --label') REPLY='@none' ;;
    'ote data add --path') REPLY='@file' ;;
    'ote data add --label') REPLY='@none' ;;
    'ote data add --label-path') REPLY='@file' ;;
    'ote data add --ignore') REPLY='@none' ;;
    'ote data add --format') REPLY='csv idx npy libsvm' ;;
    'ote data add --task') REPLY='classification regression' ;;
    'ote data add --test-fraction') REPLY='@none' ;;
    'ote data add --split-seed') REPLY='@none' ;;
    'ote data split --label') REPLY='@none' ;;
    'ote data split --label-path') REPLY='@file' ;;
    'ote data split --ignore') REPLY='@none' ;;
    'ote data split --format') REPLY='csv idx npy libsvm' ;;
    'ote data split --task') REPLY='classification regression' ;;
    'ote data split --parts') REPLY='@none' ;;
    'ote data split --dirichlet') REPLY='@none' ;;
    'ote data split --seed') REPLY='@none' ;;
    'ote data split --test-fraction') REPLY='@none' ;;
    'ote data split --names') REPLY='@none' ;;
    'ote data split --out') REPLY='@file' ;;
    'ote fl run -f' | 'ote fl run --file') REPLY='@file' ;;
    'ote fl run --name') REPLY='@none' ;;
    'ote fl run --dataset') REPLY='@dataset' ;;
    'ote fl run --task') REPLY='classification regression' ;;
    'ote fl run --model') REPLY='linear softmax mlp' ;;
    'ote fl run --hidden') REPLY='@none' ;;
    'ote fl run --activation') REPLY='relu tanh' ;;
    'ote fl run --input-scale') REPLY='@none' ;;
    'ote fl run --rounds') REPLY='@none' ;;
    'ote fl run --epochs') REPLY='@none' ;;
    'ote fl run --batch-size') REPLY='@none' ;;
    'ote fl run --optimizer') REPLY='sgd adam' ;;
    'ote fl run --learning-rate') REPLY='@none' ;;
    'ote fl run --momentum') REPLY='@none' ;;
    'ote fl run --l2') REPLY='@none' ;;
    'ote fl run --strategy') REPLY='fedavg' ;;
    'ote fl run --clusters') REPLY='@cluster' ;;
    'ote fl run -l' | 'ote fl run --selector') REPLY='@none' ;;
    'ote fl run --fraction') REPLY='@none' ;;
    'ote fl run --minimum') REPLY='@none' ;;
    'ote fl run --deadline') REPLY='@none' ;;
    'ote fl run --seed') REPLY='@none' ;;
    'ote fl simulate -f' | 'ote fl simulate --file') REPLY='@file' ;;
    'ote fl simulate --name') REPLY='@none' ;;
    'ote fl simulate --dataset') REPLY='@dataset' ;;
    'ote fl simulate --task') REPLY='classification regression' ;;
    'ote fl simulate --model') REPLY='linear softmax mlp' ;;
    'ote fl simulate --hidden') REPLY='@none' ;;
    'ote fl simulate --activation') REPLY='relu tanh' ;;
    'ote fl simulate --input-scale') REPLY='@none' ;;
    'ote fl simulate --rounds') REPLY='@none' ;;
    'ote fl simulate --epochs') REPLY='@none' ;;
    'ote fl simulate --batch-size') REPLY='@none' ;;
    'ote fl simulate --optimizer') REPLY='sgd adam' ;;
    'ote fl simulate --learning-rate') REPLY='@none' ;;
    'ote fl simulate --momentum') REPLY='@none' ;;
    'ote fl simulate --l2') REPLY='@none' ;;
    'ote fl simulate --strategy') REPLY='fedavg' ;;
    'ote fl simulate --clusters') REPLY='@cluster' ;;
    'ote fl simulate -l' | 'ote fl simulate --selector') REPLY='@none' ;;
    'ote fl simulate --fraction') REPLY='@none' ;;
    'ote fl simulate --minimum') REPLY='@none' ;;
    'ote fl simulate --deadline') REPLY='@none' ;;
    'ote fl simulate --seed') REPLY='@none' ;;
    'ote fl simulate --sites') REPLY='@none' ;;
    'ote fl simulate --data') REPLY='@file' ;;
    'ote fl simulate --label') REPLY='@none' ;;
    'ote fl simulate --label-path') REPLY='@file' ;;
    'ote fl simulate --ignore') REPLY='@none' ;;
    'ote fl simulate --format') REPLY='csv idx npy libsvm' ;;
    'ote fl simulate --dirichlet') REPLY='@none' ;;
    'ote fl simulate --test-fraction') REPLY='@none' ;;
    'ote fl simulate --absent') REPLY='@none' ;;
    'ote fl simulate --arrival-seed') REPLY='@none' ;;
    'ote fl simulate --save') REPLY='@file' ;;
    'ote model export --format') REPLY='safetensors npy' ;;
    'ote model export --to') REPLY='@file' ;;
    'ote model evaluate --data') REPLY='@file' ;;
    'ote model evaluate --label') REPLY='@none' ;;
    'ote model evaluate --label-path') REPLY='@file' ;;
    'ote model evaluate --ignore') REPLY='@none' ;;
    'ote model evaluate --format') REPLY='csv idx npy libsvm' ;;
    'ote model predict --data') REPLY='@file' ;;
    'ote model predict --label') REPLY='@none' ;;
    'ote model predict --label-path') REPLY='@file' ;;
    'ote model predict --ignore') REPLY='@none' ;;
    'ote model predict --format') REPLY='csv idx npy libsvm' ;;
  esac
  [ -z "$REPLY" ] || return 0
  case "${1##* }" in
    '-o' | '--output') REPLY='table wide json jsonl yaml name' ;;
    '--state') REPLY='@file' ;;
    '--context') REPLY='@context' ;;
    '--timeout') REPLY='@none' ;;
    '--progress') REPLY='auto plain json none' ;;
    '--color') REPLY='auto always never' ;;
    '--request-id') REPLY='@none' ;;
  esac
}

__ote_argument() {
  REPLY=''
  case "$1" in
    'ote cluster show') REPLY='@cluster' ;;
    'ote cluster label') REPLY='@cluster' ;;
    'ote cluster remove') REPLY='@cluster' ;;
    'ote cluster token revoke') REPLY='@token' ;;
    'ote data show') REPLY='@dataset' ;;
    'ote data remove') REPLY='@dataset' ;;
    'ote data split') REPLY='@file' ;;
    'ote fl show') REPLY='@run' ;;
    'ote fl logs') REPLY='@run' ;;
    'ote fl watch') REPLY='@run' ;;
    'ote fl cancel') REPLY='@run' ;;
    'ote model show') REPLY='@model' ;;
    'ote model export') REPLY='@model' ;;
    'ote model evaluate') REPLY='@model' ;;
    'ote model predict') REPLY='@model' ;;
    'ote context use') REPLY='@context' ;;
    'ote context show') REPLY='@context' ;;
    'ote completion') REPLY='bash zsh fish' ;;
    'ote help') REPLY='@command' ;;
  esac
}

# Names of one kind from the cache that the list commands write; nothing when there is none.
__ote_names() {
  local file kind name
  if [ -n "${OTE_HOME-}" ]; then
    file="$OTE_HOME/cache/names"
  else
    file="${XDG_CACHE_HOME:-$HOME/.cache}/ote/names"
  fi
  REPLY=''
  [ -r "$file" ] || return 0
  while read -r kind name; do
    [ "$kind" = "$1" ] && REPLY="$REPLY $name"
  done < "$file"
  return 0
}

__ote_complete() {
  local REPLY path='ote' word previous='' current="${COMP_WORDS[COMP_CWORD]}" verbs i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    __ote_verbs "$path"
    verbs=" $REPLY "
    case "$word" in
      -*) ;;
      *) [[ "$verbs" == *" $word "* ]] && path="$path $word" ;;
    esac
    previous="$word"
  done
  case "$previous" in
    -*) __ote_value "$path $previous" ;;
    *) REPLY='' ;;
  esac
  if [ -z "$REPLY" ]; then
    if [[ "$current" == -* ]]; then
      __ote_flags "$path"
    else
      __ote_verbs "$path"
      [ -n "$REPLY" ] || __ote_argument "$path"
    fi
  fi
  case "$REPLY" in
    '' | @none) return 0 ;;
    @file) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return 0 ;;
    @command) __ote_verbs ote ;;
    @*) __ote_names "${REPLY#@}" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$REPLY" -- "$current")
}

complete -o filenames -o bashdefault -F __ote_complete ote
