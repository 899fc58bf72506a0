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
    'ote') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote quickstart') REPLY='--help --dir --keep --rounds --seed -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster init') REPLY='--help --listen --advertise --heartbeat --certificate-life --no-start -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster join') REPLY='--help --token-file --name --label --replace --no-start -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster list') REPLY='--help -l --selector -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster show') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster tree') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster label') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster remove') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster token') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster token create') REPLY='--help --ttl --uses --label -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster token list') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote cluster token revoke') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster start') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster stop') REPLY='--help --force -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote cluster status') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote data') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote data add') REPLY='--help --path --label --label-path --ignore --format --task --test-fraction --split-seed --replace -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote data list') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote data show') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote data remove') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote data split') REPLY='--help --label --label-path --ignore --format --task --parts --dirichlet --seed --test-fraction --names --out -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote fl') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl run') REPLY='--help -f --file --name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --clusters -l --selector --fraction --minimum --deadline --seed --detach -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote fl simulate') REPLY='--help -f --file --name --dataset --task --model --hidden --activation --input-scale --rounds --epochs --batch-size --optimizer --learning-rate --momentum --l2 --strategy --clusters -l --selector --fraction --minimum --deadline --seed --sites --data --label --label-path --ignore --format --dirichlet --test-fraction --absent --arrival-seed --save -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl list') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl show') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl logs') REPLY='--help -f --follow -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl watch') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote fl cancel') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote model') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote model list') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote model show') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote model export') REPLY='--help --format --to --force -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote model evaluate') REPLY='--help --data --label --label-path --ignore --format -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote model predict') REPLY='--help --data --label --label-path --ignore --format -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote context') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote context list') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote context use') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color --dry-run --request-id' ;;
    'ote context show') REPLY='--help --origin -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote explain') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote version') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote completion') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
    'ote help') REPLY='--help -o --output -q --quiet --state --context --timeout -y --yes --progress --color' ;;
  esac
}

__ote_value() {
  REPLY=''
  case "$1" in
    'ote -o' | 'ote --output') REPLY='table wide json jsonl yaml name' ;;
    'ote --state') REPLY='@file' ;;
    'ote --context') REPLY='@context' ;;
    'ote --timeout') REPLY='@none' ;;
    'ote --progress') REPLY='auto plain json none' ;;
    'ote --color') REPLY='auto always never' ;;
    'ote quickstart --dir') REPLY='@file' ;;
    'ote quickstart --rounds') REPLY='@none' ;;
    'ote quickstart --seed') REPLY='@none' ;;
    'ote quickstart -o' | 'ote quickstart --output') REPLY='table wide json jsonl yaml name' ;;
    'ote quickstart --state') REPLY='@file' ;;
    'ote quickstart --context') REPLY='@context' ;;
    'ote quickstart --timeout') REPLY='@none' ;;
    'ote quickstart --progress') REPLY='auto plain json none' ;;
    'ote quickstart --color') REPLY='auto always never' ;;
    'ote cluster -o' | 'ote cluster --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster --state') REPLY='@file' ;;
    'ote cluster --context') REPLY='@context' ;;
    'ote cluster --timeout') REPLY='@none' ;;
    'ote cluster --progress') REPLY='auto plain json none' ;;
    'ote cluster --color') REPLY='auto always never' ;;
    'ote cluster init --listen') REPLY='@none' ;;
    'ote cluster init --advertise') REPLY='@none' ;;
    'ote cluster init --heartbeat') REPLY='@none' ;;
    'ote cluster init --certificate-life') REPLY='@none' ;;
    'ote cluster init -o' | 'ote cluster init --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster init --state') REPLY='@file' ;;
    'ote cluster init --context') REPLY='@context' ;;
    'ote cluster init --timeout') REPLY='@none' ;;
    'ote cluster init --progress') REPLY='auto plain json none' ;;
    'ote cluster init --color') REPLY='auto always never' ;;
    'ote cluster init --request-id') REPLY='@none' ;;
    'ote cluster join --token-file') REPLY='@file' ;;
    'ote cluster join --name') REPLY='@none' ;;
    'ote cluster join --label') REPLY='@none' ;;
    'ote cluster join -o' | 'ote cluster join --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster join --state') REPLY='@file' ;;
    'ote cluster join --context') REPLY='@context' ;;
    'ote cluster join --timeout') REPLY='@none' ;;
    'ote cluster join --progress') REPLY='auto plain json none' ;;
    'ote cluster join --color') REPLY='auto always never' ;;
    'ote cluster join --request-id') REPLY='@none' ;;
    'ote cluster list -l' | 'ote cluster list --selector') REPLY='@none' ;;
    'ote cluster list -o' | 'ote cluster list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster list --state') REPLY='@file' ;;
    'ote cluster list --context') REPLY='@context' ;;
    'ote cluster list --timeout') REPLY='@none' ;;
    'ote cluster list --progress') REPLY='auto plain json none' ;;
    'ote cluster list --color') REPLY='auto always never' ;;
    'ote cluster show -o' | 'ote cluster show --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster show --state') REPLY='@file' ;;
    'ote cluster show --context') REPLY='@context' ;;
    'ote cluster show --timeout') REPLY='@none' ;;
    'ote cluster show --progress') REPLY='auto plain json none' ;;
    'ote cluster show --color') REPLY='auto always never' ;;
    'ote cluster tree -o' | 'ote cluster tree --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster tree --state') REPLY='@file' ;;
    'ote cluster tree --context') REPLY='@context' ;;
    'ote cluster tree --timeout') REPLY='@none' ;;
    'ote cluster tree --progress') REPLY='auto plain json none' ;;
    'ote cluster tree --color') REPLY='auto always never' ;;
    'ote cluster label -o' | 'ote cluster label --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster label --state') REPLY='@file' ;;
    'ote cluster label --context') REPLY='@context' ;;
    'ote cluster label --timeout') REPLY='@none' ;;
    'ote cluster label --progress') REPLY='auto plain json none' ;;
    'ote cluster label --color') REPLY='auto always never' ;;
    'ote cluster label --request-id') REPLY='@none' ;;
    'ote cluster remove -o' | 'ote cluster remove --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster remove --state') REPLY='@file' ;;
    'ote cluster remove --context') REPLY='@context' ;;
    'ote cluster remove --timeout') REPLY='@none' ;;
    'ote cluster remove --progress') REPLY='auto plain json none' ;;
    'ote cluster remove --color') REPLY='auto always never' ;;
    'ote cluster remove --request-id') REPLY='@none' ;;
    'ote cluster token -o' | 'ote cluster token --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster token --state') REPLY='@file' ;;
    'ote cluster token --context') REPLY='@context' ;;
    'ote cluster token --timeout') REPLY='@none' ;;
    'ote cluster token --progress') REPLY='auto plain json none' ;;
    'ote cluster token --color') REPLY='auto always never' ;;
    'ote cluster token create --ttl') REPLY='@none' ;;
    'ote cluster token create --uses') REPLY='@none' ;;
    'ote cluster token create --label') REPLY='@none' ;;
    'ote cluster token create -o' | 'ote cluster token create --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster token create --state') REPLY='@file' ;;
    'ote cluster token create --context') REPLY='@context' ;;
    'ote cluster token create --timeout') REPLY='@none' ;;
    'ote cluster token create --progress') REPLY='auto plain json none' ;;
    'ote cluster token create --color') REPLY='auto always never' ;;
    'ote cluster token create --request-id') REPLY='@none' ;;
    'ote cluster token list -o' | 'ote cluster token list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster token list --state') REPLY='@file' ;;
    'ote cluster token list --context') REPLY='@context' ;;
    'ote cluster token list --timeout') REPLY='@none' ;;
    'ote cluster token list --progress') REPLY='auto plain json none' ;;
    'ote cluster token list --color') REPLY='auto always never' ;;
    'ote cluster token revoke -o' | 'ote cluster token revoke --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster token revoke --state') REPLY='@file' ;;
    'ote cluster token revoke --context') REPLY='@context' ;;
    'ote cluster token revoke --timeout') REPLY='@none' ;;
    'ote cluster token revoke --progress') REPLY='auto plain json none' ;;
    'ote cluster token revoke --color') REPLY='auto always never' ;;
    'ote cluster token revoke --request-id') REPLY='@none' ;;
    'ote cluster start -o' | 'ote cluster start --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster start --state') REPLY='@file' ;;
    'ote cluster start --context') REPLY='@context' ;;
    'ote cluster start --timeout') REPLY='@none' ;;
    'ote cluster start --progress') REPLY='auto plain json none' ;;
    'ote cluster start --color') REPLY='auto always never' ;;
    'ote cluster start --request-id') REPLY='@none' ;;
    'ote cluster stop -o' | 'ote cluster stop --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster stop --state') REPLY='@file' ;;
    'ote cluster stop --context') REPLY='@context' ;;
    'ote cluster stop --timeout') REPLY='@none' ;;
    'ote cluster stop --progress') REPLY='auto plain json none' ;;
    'ote cluster stop --color') REPLY='auto always never' ;;
    'ote cluster stop --request-id') REPLY='@none' ;;
    'ote cluster status -o' | 'ote cluster status --output') REPLY='table wide json jsonl yaml name' ;;
    'ote cluster status --state') REPLY='@file' ;;
    'ote cluster status --context') REPLY='@context' ;;
    'ote cluster status --timeout') REPLY='@none' ;;
    'ote cluster status --progress') REPLY='auto plain json none' ;;
    'ote cluster status --color') REPLY='auto always never' ;;
    'ote data -o' | 'ote data --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data --state') REPLY='@file' ;;
    'ote data --context') REPLY='@context' ;;
    'ote data --timeout') REPLY='@none' ;;
    'ote data --progress') REPLY='auto plain json none' ;;
    'ote data --color') REPLY='auto always never' ;;
    'ote data add --path') REPLY='@file' ;;
    'ote data add --label') REPLY='@none' ;;
    'ote data add --label-path') REPLY='@file' ;;
    'ote data add --ignore') REPLY='@none' ;;
    'ote data add --format') REPLY='csv idx npy libsvm' ;;
    'ote data add --task') REPLY='classification regression' ;;
    'ote data add --test-fraction') REPLY='@none' ;;
    'ote data add --split-seed') REPLY='@none' ;;
    'ote data add -o' | 'ote data add --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data add --state') REPLY='@file' ;;
    'ote data add --context') REPLY='@context' ;;
    'ote data add --timeout') REPLY='@none' ;;
    'ote data add --progress') REPLY='auto plain json none' ;;
    'ote data add --color') REPLY='auto always never' ;;
    'ote data add --request-id') REPLY='@none' ;;
    'ote data list -o' | 'ote data list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data list --state') REPLY='@file' ;;
    'ote data list --context') REPLY='@context' ;;
    'ote data list --timeout') REPLY='@none' ;;
    'ote data list --progress') REPLY='auto plain json none' ;;
    'ote data list --color') REPLY='auto always never' ;;
    'ote data show -o' | 'ote data show --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data show --state') REPLY='@file' ;;
    'ote data show --context') REPLY='@context' ;;
    'ote data show --timeout') REPLY='@none' ;;
    'ote data show --progress') REPLY='auto plain json none' ;;
    'ote data show --color') REPLY='auto always never' ;;
    'ote data remove -o' | 'ote data remove --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data remove --state') REPLY='@file' ;;
    'ote data remove --context') REPLY='@context' ;;
    'ote data remove --timeout') REPLY='@none' ;;
    'ote data remove --progress') REPLY='auto plain json none' ;;
    'ote data remove --color') REPLY='auto always never' ;;
    'ote data remove --request-id') REPLY='@none' ;;
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
    'ote data split -o' | 'ote data split --output') REPLY='table wide json jsonl yaml name' ;;
    'ote data split --state') REPLY='@file' ;;
    'ote data split --context') REPLY='@context' ;;
    'ote data split --timeout') REPLY='@none' ;;
    'ote data split --progress') REPLY='auto plain json none' ;;
    'ote data split --color') REPLY='auto always never' ;;
    'ote data split --request-id') REPLY='@none' ;;
    'ote fl -o' | 'ote fl --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl --state') REPLY='@file' ;;
    'ote fl --context') REPLY='@context' ;;
    'ote fl --timeout') REPLY='@none' ;;
    'ote fl --progress') REPLY='auto plain json none' ;;
    'ote fl --color') REPLY='auto always never' ;;
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
    'ote fl run -o' | 'ote fl run --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl run --state') REPLY='@file' ;;
    'ote fl run --context') REPLY='@context' ;;
    'ote fl run --timeout') REPLY='@none' ;;
    'ote fl run --progress') REPLY='auto plain json none' ;;
    'ote fl run --color') REPLY='auto always never' ;;
    'ote fl run --request-id') REPLY='@none' ;;
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
    'ote fl simulate -o' | 'ote fl simulate --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl simulate --state') REPLY='@file' ;;
    'ote fl simulate --context') REPLY='@context' ;;
    'ote fl simulate --timeout') REPLY='@none' ;;
    'ote fl simulate --progress') REPLY='auto plain json none' ;;
    'ote fl simulate --color') REPLY='auto always never' ;;
    'ote fl list -o' | 'ote fl list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl list --state') REPLY='@file' ;;
    'ote fl list --context') REPLY='@context' ;;
    'ote fl list --timeout') REPLY='@none' ;;
    'ote fl list --progress') REPLY='auto plain json none' ;;
    'ote fl list --color') REPLY='auto always never' ;;
    'ote fl show -o' | 'ote fl show --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl show --state') REPLY='@file' ;;
    'ote fl show --context') REPLY='@context' ;;
    'ote fl show --timeout') REPLY='@none' ;;
    'ote fl show --progress') REPLY='auto plain json none' ;;
    'ote fl show --color') REPLY='auto always never' ;;
    'ote fl logs -o' | 'ote fl logs --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl logs --state') REPLY='@file' ;;
    'ote fl logs --context') REPLY='@context' ;;
    'ote fl logs --timeout') REPLY='@none' ;;
    'ote fl logs --progress') REPLY='auto plain json none' ;;
    'ote fl logs --color') REPLY='auto always never' ;;
    'ote fl watch -o' | 'ote fl watch --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl watch --state') REPLY='@file' ;;
    'ote fl watch --context') REPLY='@context' ;;
    'ote fl watch --timeout') REPLY='@none' ;;
    'ote fl watch --progress') REPLY='auto plain json none' ;;
    'ote fl watch --color') REPLY='auto always never' ;;
    'ote fl cancel -o' | 'ote fl cancel --output') REPLY='table wide json jsonl yaml name' ;;
    'ote fl cancel --state') REPLY='@file' ;;
    'ote fl cancel --context') REPLY='@context' ;;
    'ote fl cancel --timeout') REPLY='@none' ;;
    'ote fl cancel --progress') REPLY='auto plain json none' ;;
    'ote fl cancel --color') REPLY='auto always never' ;;
    'ote fl cancel --request-id') REPLY='@none' ;;
    'ote model -o' | 'ote model --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model --state') REPLY='@file' ;;
    'ote model --context') REPLY='@context' ;;
    'ote model --timeout') REPLY='@none' ;;
    'ote model --progress') REPLY='auto plain json none' ;;
    'ote model --color') REPLY='auto always never' ;;
    'ote model list -o' | 'ote model list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model list --state') REPLY='@file' ;;
    'ote model list --context') REPLY='@context' ;;
    'ote model list --timeout') REPLY='@none' ;;
    'ote model list --progress') REPLY='auto plain json none' ;;
    'ote model list --color') REPLY='auto always never' ;;
    'ote model show -o' | 'ote model show --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model show --state') REPLY='@file' ;;
    'ote model show --context') REPLY='@context' ;;
    'ote model show --timeout') REPLY='@none' ;;
    'ote model show --progress') REPLY='auto plain json none' ;;
    'ote model show --color') REPLY='auto always never' ;;
    'ote model export --format') REPLY='safetensors npy' ;;
    'ote model export --to') REPLY='@file' ;;
    'ote model export -o' | 'ote model export --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model export --state') REPLY='@file' ;;
    'ote model export --context') REPLY='@context' ;;
    'ote model export --timeout') REPLY='@none' ;;
    'ote model export --progress') REPLY='auto plain json none' ;;
    'ote model export --color') REPLY='auto always never' ;;
    'ote model export --request-id') REPLY='@none' ;;
    'ote model evaluate --data') REPLY='@file' ;;
    'ote model evaluate --label') REPLY='@none' ;;
    'ote model evaluate --label-path') REPLY='@file' ;;
    'ote model evaluate --ignore') REPLY='@none' ;;
    'ote model evaluate --format') REPLY='csv idx npy libsvm' ;;
    'ote model evaluate -o' | 'ote model evaluate --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model evaluate --state') REPLY='@file' ;;
    'ote model evaluate --context') REPLY='@context' ;;
    'ote model evaluate --timeout') REPLY='@none' ;;
    'ote model evaluate --progress') REPLY='auto plain json none' ;;
    'ote model evaluate --color') REPLY='auto always never' ;;
    'ote model predict --data') REPLY='@file' ;;
    'ote model predict --label') REPLY='@none' ;;
    'ote model predict --label-path') REPLY='@file' ;;
    'ote model predict --ignore') REPLY='@none' ;;
    'ote model predict --format') REPLY='csv idx npy libsvm' ;;
    'ote model predict -o' | 'ote model predict --output') REPLY='table wide json jsonl yaml name' ;;
    'ote model predict --state') REPLY='@file' ;;
    'ote model predict --context') REPLY='@context' ;;
    'ote model predict --timeout') REPLY='@none' ;;
    'ote model predict --progress') REPLY='auto plain json none' ;;
    'ote model predict --color') REPLY='auto always never' ;;
    'ote context -o' | 'ote context --output') REPLY='table wide json jsonl yaml name' ;;
    'ote context --state') REPLY='@file' ;;
    'ote context --context') REPLY='@context' ;;
    'ote context --timeout') REPLY='@none' ;;
    'ote context --progress') REPLY='auto plain json none' ;;
    'ote context --color') REPLY='auto always never' ;;
    'ote context list -o' | 'ote context list --output') REPLY='table wide json jsonl yaml name' ;;
    'ote context list --state') REPLY='@file' ;;
    'ote context list --context') REPLY='@context' ;;
    'ote context list --timeout') REPLY='@none' ;;
    'ote context list --progress') REPLY='auto plain json none' ;;
    'ote context list --color') REPLY='auto always never' ;;
    'ote context use -o' | 'ote context use --output') REPLY='table wide json jsonl yaml name' ;;
    'ote context use --state') REPLY='@file' ;;
    'ote context use --context') REPLY='@context' ;;
    'ote context use --timeout') REPLY='@none' ;;
    'ote context use --progress') REPLY='auto plain json none' ;;
    'ote context use --color') REPLY='auto always never' ;;
    'ote context use --request-id') REPLY='@none' ;;
    'ote context show -o' | 'ote context show --output') REPLY='table wide json jsonl yaml name' ;;
    'ote context show --state') REPLY='@file' ;;
    'ote context show --context') REPLY='@context' ;;
    'ote context show --timeout') REPLY='@none' ;;
    'ote context show --progress') REPLY='auto plain json none' ;;
    'ote context show --color') REPLY='auto always never' ;;
    'ote explain -o' | 'ote explain --output') REPLY='table wide json jsonl yaml name' ;;
    'ote explain --state') REPLY='@file' ;;
    'ote explain --context') REPLY='@context' ;;
    'ote explain --timeout') REPLY='@none' ;;
    'ote explain --progress') REPLY='auto plain json none' ;;
    'ote explain --color') REPLY='auto always never' ;;
    'ote version -o' | 'ote version --output') REPLY='table wide json jsonl yaml name' ;;
    'ote version --state') REPLY='@file' ;;
    'ote version --context') REPLY='@context' ;;
    'ote version --timeout') REPLY='@none' ;;
    'ote version --progress') REPLY='auto plain json none' ;;
    'ote version --color') REPLY='auto always never' ;;
    'ote completion -o' | 'ote completion --output') REPLY='table wide json jsonl yaml name' ;;
    'ote completion --state') REPLY='@file' ;;
    'ote completion --context') REPLY='@context' ;;
    'ote completion --timeout') REPLY='@none' ;;
    'ote completion --progress') REPLY='auto plain json none' ;;
    'ote completion --color') REPLY='auto always never' ;;
    'ote help -o' | 'ote help --output') REPLY='table wide json jsonl yaml name' ;;
    'ote help --state') REPLY='@file' ;;
    'ote help --context') REPLY='@context' ;;
    'ote help --timeout') REPLY='@none' ;;
    'ote help --progress') REPLY='auto plain json none' ;;
    'ote help --color') REPLY='auto always never' ;;
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
