#!/usr/bin/env bats
# Two of the comparisons of test/parity/run, which takes minutes for all: on real data, when it is there.
load helpers

data=${OTE_SHARED_DATA:-$source_root/../shared/data}

@test "a regression and trees over two parties are as good as scikit-learn and XGBoost with all rows in one place" {
  [ -d "$data/fate" ] || skip "no ${data#"$source_root"/}/fate: the data sets are not part of the repository"
  /usr/bin/python3 -c 'import sklearn, xgboost' 2>/dev/null ||
    skip "python3-sklearn and python3-xgboost are not installed; test/parity/run installs them"
  /usr/bin/python3 "$source_root/test/parity/main.py" --programs "$OTE_BIN" --data "$data" \
    --splits 1 default-credit-softmax vehicle-scale-gbt
}
