#include "core/site/mask_records.h"

#include "core/federate/masks/site_masks.h"

namespace ote::site {

Result<Bytes> LoadMasks(store::Store& store, const std::string& run) {
  OTE_TRY(auto record, store.Get<MaskRecord>(run));
  return record ? std::move(record->masks) : Bytes();
}

Result<void> PutMasks(store::Store& store, const std::string& run, const Bytes& masks) {
  if (masks.empty()) return {};
  return store.Put(MaskRecord{run, masks});
}

Result<void> CloseMasks(store::Store& store, const std::string& run, std::int64_t round) {
  OTE_TRY(const Bytes kept, LoadMasks(store, run));
  if (kept.empty()) return {};
  OTE_TRY(federate::SiteMasks masks, FromCbor<federate::SiteMasks>(kept));
  if (masks.round > round || masks.seed.empty()) return {};
  masks.Wipe();
  return store.Put(MaskRecord{run, ToCbor(masks)});
}

}  // namespace ote::site
