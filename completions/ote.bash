# bash completion of ote; made from the command tree by ote-docgen; do not edit
# shellcheck shell=bash

__ote_verbs() {
  REPLY=''
  case "$1" in
    'ote') REPLY='quickstart cluster app data trainer fl model key bundle context doctor explain version completion help' ;;
    'ote cluster') REPLY='init join approve list show tree commands label remove cordon uncordon drain token audit start stop status' ;;
    'ote cluster token') REPLY='create list revoke' ;;
    'ote app') REPLY='init templates deploy list show status plan diff logs restart rollback remove export import' ;;
    'ote data') REPLY='add list show stats remove split' ;;
    'ote trainer') REPLY='add list show remove' ;;
    'ote fl') REPLY='run simulate list show logs watch cancel strategies report compare metrics verify remove export train import' ;;
    'ote model') REPLY='list show tag diff remove import export evaluate predict kinds' ;;
    'ote key') REPLY='list create revoke rotate' ;;
    'ote bundle') REPLY='inspect verify' ;;
    'ote context') REPLY='list use add show' ;;
  esac
}

__ote_flags() {
  REPLY=''
  case "$1" in
    'ote quickstart') REPLY='--dir --keep --rounds --seed' ;;
    'ote cluster init') REPLY='--listen --advertise --heartbeat --certificate-life --shim --no-start --metrics --log-format --ship-logs --ship-ca --ship-key-file --ship-user-file --ship-index --ship-spool --dry-run --request-id' ;;
    'ote cluster join') REPLY='--token-file --name --label --listen --advertise --shim --replace --no-start --metrics --log-format --ship-logs --ship-ca --ship-key-file --ship-user-file --ship-index --ship-spool --offline -o --out --grant --fingerprint --check-dates --force --dry-run --request-id' ;;
    'ote cluster approve') REPLY='-o --out --split --force --fingerprint --label --dry-run --request-id' ;;
    'ote cluster list') REPLY='-l --selector' ;;
    'ote cluster commands') REPLY='--cluster --limit' ;;
    'ote cluster label') REPLY='--dry-run --request-id' ;;
    'ote cluster remove') REPLY='--dry-run --request-id' ;;
    'ote cluster cordon') REPLY='--dry-run --request-id' ;;
    'ote cluster uncordon') REPLY='--dry-run --request-id' ;;
    'ote cluster drain') REPLY='--dry-run --request-id' ;;
    'ote cluster token create') REPLY='--ttl --uses --label --dry-run --request-id' ;;
    'ote cluster token revoke') REPLY='--dry-run --request-id' ;;
    'ote cluster audit') REPLY='--since --who --verb --limit' ;;
    'ote cluster start') REPLY='--metrics --log-format --ship-logs --ship-ca --ship-key-file --ship-user-file --ship-index --ship-spool --dry-run --request-id' ;;
    'ote cluster stop') REPLY='--force --dry-run --request-id' ;;
    'ote app init') REPLY='--template --set --set-file -o --out --help-values --force --dry-run --request-id' ;;
    'ote app deploy') REPLY='-f --file --name --selector --cluster --all --note --over --detach --dry-run --request-id' ;;
    'ote app status') REPLY='-w --watch' ;;
    'ote app plan') REPLY='-f --file --name --selector --cluster --all' ;;
    'ote app diff') REPLY='-f --file --name --selector --cluster --all' ;;
    'ote app logs') REPLY='-f --follow --tail --cluster --replica' ;;
    'ote app restart') REPLY='--cluster --dry-run --request-id' ;;
    'ote app rollback') REPLY='--to --detach --dry-run --request-id' ;;
    'ote app remove') REPLY='--detach --dry-run --request-id' ;;
    'ote app export') REPLY='--cluster -o --out --split --force --dry-run --request-id' ;;
    'ote app import') REPLY='-o --out --split --force --detach --check-dates --restored --dry-run --request-id' ;;
    'ote data add') REPLY='--path --label --label-path --ignore --format --task --categorical --missing --test-fraction --split-seed --min-rows --fold --privacy-budget --privacy-delta --privacy-noise --privacy-forget --replace --dry-run --request-id' ;;
    'ote data stats') REPLY='--federated --clusters -l --selector' ;;
    'ote data remove') REPLY='--dry-run --request-id' ;;
    'ote data split') REPLY='--label --label-path --ignore --format --task --categorical --missing --parts --dirichlet --classes-per-site --seed --test-fraction --names --out --dry-run --request-id' ;;
    'ote trainer add') REPLY='--command --dataset --time-limit --memory --sandbox --read --env --replace --dry-run --request-id' ;;
    'ote trainer remove') REPLY='--dry-run --request-id' ;;
    'ote fl run') REPLY='-f --file --name --model-name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --trainer --clusters -l --selector --fraction --minimum --deadline --from --set --seed --resume --detach --dry-run --request-id' ;;
    'ote fl simulate') REPLY='-f --file --name --model-name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --trainer --clusters -l --selector --fraction --minimum --deadline --from --set --seed --sites --data --label --label-path --ignore --format --categorical --missing --dirichlet --classes-per-site --test-fraction --absent --arrival-seed --save' ;;
    'ote fl logs') REPLY='-f --follow --cluster --bytes' ;;
    'ote fl cancel') REPLY='--dry-run --request-id' ;;
    'ote fl report') REPLY='--to' ;;
    'ote fl compare') REPLY='--svg --metric' ;;
    'ote fl metrics') REPLY='--per-site --csv' ;;
    'ote fl verify') REPLY='--record --fingerprint --save' ;;
    'ote fl remove') REPLY='--updates --dry-run --request-id' ;;
    'ote fl export') REPLY='--cluster -o --out --split --force --dry-run --request-id' ;;
    'ote fl train') REPLY='-o --out --split --force --check-dates --restored --tell-failure --dry-run --request-id' ;;
    'ote fl import') REPLY='-o --out --split --force --check-dates --restored --dry-run --request-id' ;;
    'ote model list') REPLY='--all' ;;
    'ote model tag') REPLY='--remove --dry-run --request-id' ;;
    'ote model remove') REPLY='--force --dry-run --request-id' ;;
    'ote model import') REPLY='--name --spec --task --classes --tag --dry-run --request-id' ;;
    'ote model export') REPLY='--format -o --to --force --for --split --dry-run --request-id' ;;
    'ote model evaluate') REPLY='--data --label --label-path --ignore --format --missing' ;;
    'ote model predict') REPLY='--data --label --label-path --ignore --format --missing' ;;
    'ote key create') REPLY='--role --scope --ttl -o --out --server --dry-run --request-id' ;;
    'ote key revoke') REPLY='--dry-run --request-id' ;;
    'ote key rotate') REPLY='--authority --transport --now -o --out --split --force --dry-run --request-id' ;;
    'ote bundle verify') REPLY='--fingerprint --check-dates' ;;
    'ote context use') REPLY='--dry-run --request-id' ;;
    'ote context add') REPLY='--dry-run --request-id' ;;
    'ote context show') REPLY='--origin' ;;
  esac
  REPLY="$REPLY --help -o --output -q --quiet --state --context --credential --timeout -y --yes --progress --color"
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
    'ote cluster init --shim') REPLY='@none' ;;
    'ote cluster init --metrics') REPLY='@none' ;;
    'ote cluster init --log-format') REPLY='text json' ;;
    'ote cluster init --ship-logs') REPLY='@none' ;;
    'ote cluster init --ship-ca') REPLY='@file' ;;
    'ote cluster init --ship-key-file') REPLY='@file' ;;
    'ote cluster init --ship-user-file') REPLY='@file' ;;
    'ote cluster init --ship-index') REPLY='@none' ;;
    'ote cluster init --ship-spool') REPLY='@none' ;;
    'ote cluster join --token-file') REPLY='@file' ;;
    'ote cluster join --name') REPLY='@none' ;;
    'ote cluster join --label') REPLY='@none' ;;
    'ote cluster join --listen') REPLY='@none' ;;
    'ote cluster join --advertise') REPLY='@none' ;;
    'ote cluster join --shim') REPLY='@none' ;;
    'ote cluster join --metrics') REPLY='@none' ;;
    'ote cluster join --log-format') REPLY='text json' ;;
    'ote cluster join --ship-logs') REPLY='@none' ;;
    'ote cluster join --ship-ca') REPLY='@file' ;;
    'ote cluster join --ship-key-file') REPLY='@file' ;;
    'ote cluster join --ship-user-file') REPLY='@file' ;;
    'ote cluster join --ship-index') REPLY='@none' ;;
    'ote cluster join --ship-spool') REPLY='@none' ;;
    'ote cluster join -o' | 'ote cluster join --out') REPLY='@file' ;;
    'ote cluster join --grant') REPLY='@file' ;;
    'ote cluster join --fingerprint') REPLY='@none' ;;
    'ote cluster approve -o' | 'ote cluster approve --out') REPLY='@file' ;;
    'ote cluster approve --split') REPLY='@none' ;;
    'ote cluster approve --fingerprint') REPLY='@none' ;;
    'ote cluster approve --label') REPLY='@none' ;;
    'ote cluster list -l' | 'ote cluster list --selector') REPLY='@none' ;;
    'ote cluster commands --cluster') REPLY='@cluster' ;;
    'ote cluster commands --limit') REPLY='@none' ;;
    'ote cluster token create --ttl') REPLY='@none' ;;
    'ote cluster token create --uses') REPLY='@none' ;;
    'ote cluster token create --label') REPLY='@none' ;;
    'ote cluster audit --since') REPLY='@none' ;;
    'ote cluster audit --who') REPLY='@none' ;;
    'ote cluster audit --verb') REPLY='@none' ;;
    'ote cluster audit --limit') REPLY='@none' ;;
    'ote cluster start --metrics') REPLY='@none' ;;
    'ote cluster start --log-format') REPLY='text json' ;;
    'ote cluster start --ship-logs') REPLY='@none' ;;
    'ote cluster start --ship-ca') REPLY='@file' ;;
    'ote cluster start --ship-key-file') REPLY='@file' ;;
    'ote cluster start --ship-user-file') REPLY='@file' ;;
    'ote cluster start --ship-index') REPLY='@none' ;;
    'ote cluster start --ship-spool') REPLY='@none' ;;
    'ote app init --template') REPLY='@none' ;;
    'ote app init --set') REPLY='@none' ;;
    'ote app init --set-file') REPLY='@file' ;;
    'ote app init -o' | 'ote app init --out') REPLY='@file' ;;
    'ote app deploy -f' | 'ote app deploy --file') REPLY='@file' ;;
    'ote app deploy --name') REPLY='@none' ;;
    'ote app deploy --selector') REPLY='@none' ;;
    'ote app deploy --cluster') REPLY='@cluster' ;;
    'ote app deploy --note') REPLY='@none' ;;
    'ote app deploy --over') REPLY='@none' ;;
    'ote app plan -f' | 'ote app plan --file') REPLY='@file' ;;
    'ote app plan --name') REPLY='@none' ;;
    'ote app plan --selector') REPLY='@none' ;;
    'ote app plan --cluster') REPLY='@cluster' ;;
    'ote app diff -f' | 'ote app diff --file') REPLY='@file' ;;
    'ote app diff --name') REPLY='@none' ;;
    'ote app diff --selector') REPLY='@none' ;;
    'ote app diff --cluster') REPLY='@cluster' ;;
    'ote app logs --tail') REPLY='@none' ;;
    'ote app logs --cluster') REPLY='@cluster' ;;
    'ote app logs --replica') REPLY='@none' ;;
    'ote app restart --cluster') REPLY='@cluster' ;;
    'ote app rollback --to') REPLY='@none' ;;
    'ote app export --cluster') REPLY='@cluster' ;;
    'ote app export -o' | 'ote app export --out') REPLY='@file' ;;
    'ote app export --split') REPLY='@none' ;;
    'ote app import -o' | 'ote app import --out') REPLY='@file' ;;
    'ote app import --split') REPLY='@none' ;;
    'ote data add --path') REPLY='@file' ;;
    'ote data add --label') REPLY='@none' ;;
    'ote data add --label-path') REPLY='@file' ;;
    'ote data add --ignore') REPLY='@none' ;;
    'ote data add --format') REPLY='csv idx npy libsvm' ;;
    'ote data add --task') REPLY='classification regression clustering' ;;
    'ote data add --categorical') REPLY='@none' ;;
    'ote data add --missing') REPLY='@none' ;;
    'ote data add --test-fraction') REPLY='@none' ;;
    'ote data add --split-seed') REPLY='@none' ;;
    'ote data add --min-rows') REPLY='@none' ;;
    'ote data add --fold') REPLY='allow refuse' ;;
    'ote data add --privacy-budget') REPLY='@none' ;;
    'ote data add --privacy-delta') REPLY='@none' ;;
    'ote data add --privacy-noise') REPLY='none central distributed local' ;;
    'ote data stats --clusters') REPLY='@cluster' ;;
    'ote data stats -l' | 'ote data stats --selector') REPLY='@none' ;;
    'ote data split --label') REPLY='@none' ;;
    'ote data split --label-path') REPLY='@file' ;;
    'ote data split --ignore') REPLY='@none' ;;
    'ote data split --format') REPLY='csv idx npy libsvm' ;;
    'ote data split --task') REPLY='classification regression clustering' ;;
    'ote data split --categorical') REPLY='@none' ;;
    'ote data split --missing') REPLY='@none' ;;
    'ote data split --parts') REPLY='@none' ;;
    'ote data split --dirichlet') REPLY='@none' ;;
    'ote data split --classes-per-site') REPLY='@none' ;;
    'ote data split --seed') REPLY='@none' ;;
    'ote data split --test-fraction') REPLY='@none' ;;
    'ote data split --names') REPLY='@none' ;;
    'ote data split --out') REPLY='@file' ;;
    'ote trainer add --command') REPLY='@none' ;;
    'ote trainer add --dataset') REPLY='@dataset' ;;
    'ote trainer add --time-limit') REPLY='@none' ;;
    'ote trainer add --memory') REPLY='@none' ;;
    'ote trainer add --sandbox') REPLY='auto require off' ;;
    'ote trainer add --read') REPLY='@file' ;;
    'ote trainer add --env') REPLY='@none' ;;
    'ote fl run -f' | 'ote fl run --file') REPLY='@file' ;;
    'ote fl run --name') REPLY='@none' ;;
    'ote fl run --model-name') REPLY='@model' ;;
    'ote fl run --dataset') REPLY='@dataset' ;;
    'ote fl run --task') REPLY='classification regression clustering' ;;
    'ote fl run --model') REPLY='linear softmax mlp cnn gbt kmeans' ;;
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
    'ote fl run --strategy') REPLY='fedavg fedavgm fedprox fedadam fedyogi fedadagrad scaffold fednova fedbuff median trimmed-mean krum multi-krum' ;;
    'ote fl run --trainer') REPLY='builtin exec any' ;;
    'ote fl run --clusters') REPLY='@cluster' ;;
    'ote fl run -l' | 'ote fl run --selector') REPLY='@none' ;;
    'ote fl run --fraction') REPLY='@none' ;;
    'ote fl run --minimum') REPLY='@none' ;;
    'ote fl run --deadline') REPLY='@none' ;;
    'ote fl run --from') REPLY='@model' ;;
    'ote fl run --set') REPLY='@none' ;;
    'ote fl run --seed') REPLY='@none' ;;
    'ote fl run --resume') REPLY='@run' ;;
    'ote fl simulate -f' | 'ote fl simulate --file') REPLY='@file' ;;
    'ote fl simulate --name') REPLY='@none' ;;
    'ote fl simulate --model-name') REPLY='@model' ;;
    'ote fl simulate --dataset') REPLY='@dataset' ;;
    'ote fl simulate --task') REPLY='classification regression clustering' ;;
    'ote fl simulate --model') REPLY='linear softmax mlp cnn gbt kmeans' ;;
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
    'ote fl simulate --strategy') REPLY='fedavg fedavgm fedprox fedadam fedyogi fedadagrad scaffold fednova fedbuff median trimmed-mean krum multi-krum' ;;
    'ote fl simulate --trainer') REPLY='builtin exec any' ;;
    'ote fl simulate --clusters') REPLY='@cluster' ;;
    'ote fl simulate -l' | 'ote fl simulate --selector') REPLY='@none' ;;
    'ote fl simulate --fraction') REPLY='@none' ;;
    'ote fl simulate --minimum') REPLY='@none' ;;
    'ote fl simulate --deadline') REPLY='@none' ;;
    'ote fl simulate --from') REPLY='@model' ;;
    'ote fl simulate --set') REPLY='@none' ;;
    'ote fl simulate --seed') REPLY='@none' ;;
    'ote fl simulate --sites') REPLY='@none' ;;
    'ote fl simulate --data') REPLY='@file' ;;
    'ote fl simulate --label') REPLY='@none' ;;
    'ote fl simulate --label-path') REPLY='@file' ;;
    'ote fl simulate --ignore') REPLY='@none' ;;
    'ote fl simulate --format') REPLY='csv idx npy libsvm' ;;
    'ote fl simulate --categorical') REPLY='@none' ;;
    'ote fl simulate --missing') REPLY='@none' ;;
    'ote fl simulate --dirichlet') REPLY='@none' ;;
    'ote fl simulate --classes-per-site') REPLY='@none' ;;
    'ote fl simulate --test-fraction') REPLY='@none' ;;
    'ote fl simulate --absent') REPLY='@none' ;;
    'ote fl simulate --arrival-seed') REPLY='@none' ;;
    'ote fl simulate --save') REPLY='@file' ;;
    'ote fl logs --cluster') REPLY='@cluster' ;;
    'ote fl logs --bytes') REPLY='@none' ;;
    'ote fl report --to') REPLY='@file' ;;
    'ote fl compare --svg') REPLY='@file' ;;
    'ote fl compare --metric') REPLY='loss accuracy auc rmse' ;;
    'ote fl verify --record') REPLY='@file' ;;
    'ote fl verify --fingerprint') REPLY='@none' ;;
    'ote fl verify --save') REPLY='@file' ;;
    'ote fl export --cluster') REPLY='@cluster' ;;
    'ote fl export -o' | 'ote fl export --out') REPLY='@file' ;;
    'ote fl export --split') REPLY='@none' ;;
    'ote fl train -o' | 'ote fl train --out') REPLY='@file' ;;
    'ote fl train --split') REPLY='@none' ;;
    'ote fl import -o' | 'ote fl import --out') REPLY='@file' ;;
    'ote fl import --split') REPLY='@none' ;;
    'ote model import --name') REPLY='@model' ;;
    'ote model import --spec') REPLY='@file' ;;
    'ote model import --task') REPLY='classification regression clustering' ;;
    'ote model import --classes') REPLY='@none' ;;
    'ote model import --tag') REPLY='@none' ;;
    'ote model export --format') REPLY='safetensors npy onnx bundle' ;;
    'ote model export -o' | 'ote model export --to') REPLY='@file' ;;
    'ote model export --for') REPLY='@cluster' ;;
    'ote model export --split') REPLY='@none' ;;
    'ote model evaluate --data') REPLY='@file' ;;
    'ote model evaluate --label') REPLY='@none' ;;
    'ote model evaluate --label-path') REPLY='@file' ;;
    'ote model evaluate --ignore') REPLY='@none' ;;
    'ote model evaluate --format') REPLY='csv idx npy libsvm' ;;
    'ote model evaluate --missing') REPLY='@none' ;;
    'ote model predict --data') REPLY='@file' ;;
    'ote model predict --label') REPLY='@none' ;;
    'ote model predict --label-path') REPLY='@file' ;;
    'ote model predict --ignore') REPLY='@none' ;;
    'ote model predict --format') REPLY='csv idx npy libsvm' ;;
    'ote model predict --missing') REPLY='@none' ;;
    'ote key create --role') REPLY='viewer operator admin' ;;
    'ote key create --scope') REPLY='@none' ;;
    'ote key create --ttl') REPLY='@none' ;;
    'ote key create -o' | 'ote key create --out') REPLY='@file' ;;
    'ote key create --server') REPLY='@none' ;;
    'ote key rotate -o' | 'ote key rotate --out') REPLY='@file' ;;
    'ote key rotate --split') REPLY='@none' ;;
    'ote bundle verify --fingerprint') REPLY='@none' ;;
  esac
  [ -z "$REPLY" ] || return 0
  case "${1##* }" in
    '-o' | '--output') REPLY='table wide json jsonl yaml name' ;;
    '--state') REPLY='@file' ;;
    '--context') REPLY='@context' ;;
    '--credential') REPLY='@file' ;;
    '--timeout') REPLY='@none' ;;
    '--progress') REPLY='auto plain json none' ;;
    '--color') REPLY='auto always never' ;;
    '--request-id') REPLY='@none' ;;
  esac
}

__ote_argument() {
  REPLY=''
  case "$1" in
    'ote cluster approve') REPLY='@file' ;;
    'ote cluster show') REPLY='@cluster' ;;
    'ote cluster label') REPLY='@cluster' ;;
    'ote cluster remove') REPLY='@cluster' ;;
    'ote cluster cordon') REPLY='@cluster' ;;
    'ote cluster uncordon') REPLY='@cluster' ;;
    'ote cluster drain') REPLY='@cluster' ;;
    'ote cluster token revoke') REPLY='@token' ;;
    'ote app import') REPLY='@file' ;;
    'ote data show') REPLY='@dataset' ;;
    'ote data stats') REPLY='@dataset' ;;
    'ote data remove') REPLY='@dataset' ;;
    'ote data split') REPLY='@file' ;;
    'ote trainer show') REPLY='@trainer' ;;
    'ote trainer remove') REPLY='@trainer' ;;
    'ote fl show') REPLY='@run' ;;
    'ote fl logs') REPLY='@run' ;;
    'ote fl watch') REPLY='@run' ;;
    'ote fl cancel') REPLY='@run' ;;
    'ote fl report') REPLY='@run' ;;
    'ote fl compare') REPLY='@run' ;;
    'ote fl metrics') REPLY='@run' ;;
    'ote fl verify') REPLY='@run' ;;
    'ote fl remove') REPLY='@run' ;;
    'ote fl export') REPLY='@run' ;;
    'ote fl train') REPLY='@file' ;;
    'ote fl import') REPLY='@file' ;;
    'ote model list') REPLY='@model' ;;
    'ote model show') REPLY='@model' ;;
    'ote model tag') REPLY='@model' ;;
    'ote model diff') REPLY='@model' ;;
    'ote model remove') REPLY='@model' ;;
    'ote model import') REPLY='@file' ;;
    'ote model export') REPLY='@model' ;;
    'ote model evaluate') REPLY='@model' ;;
    'ote model predict') REPLY='@model' ;;
    'ote bundle inspect') REPLY='@file' ;;
    'ote bundle verify') REPLY='@file' ;;
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
