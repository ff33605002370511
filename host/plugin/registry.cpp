// SPDX-License-Identifier: MIT
// Search and look-up of components, see registry.hpp.
#include "plugin/registry.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.hpp"
#include "base/nearest.hpp"
#include "base/text.hpp"

namespace kdhost {
namespace {

namespace fs = std::filesystem;

// A list in a message stays readable up to here.
constexpr std::size_t kMostNames = 12;

std::string plural(kdh_kind kind) {
  return kind == KDH_KIND_LOSS ? "losses" : kind == KDH_KIND_DATASET ? "data sets" : kind_name(kind) + "s";
}

std::string kind_words(kdh_kind kind) { return kind == KDH_KIND_DATASET ? "a data set" : "a " + kind_name(kind); }

// The names; of many only those nearest to `id`.
std::string listed(std::vector<std::string> names, const std::string& id) {
  const std::size_t all = names.size();
  if (all <= kMostNames) return join(names);
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return edit_distance(a, id) < edit_distance(b, id);
  });
  names.resize(kMostNames);
  std::sort(names.begin(), names.end());
  return join(names) + " (these are the nearest of " + std::to_string(all) + ": see `kdhost plugins`)";
}

bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code failed;
  return fs::equivalent(a, b, failed);
}

// True where `from`, a file or a folder, gives this plugin.
bool comes_from(const PluginFile& file, const fs::path& from) {
  const auto fits = [&](const fs::path& name) {
    return same_file(name, from) || same_file(name.has_parent_path() ? name.parent_path() : fs::path("."), from);
  };
  return fits(file.path) || std::any_of(file.other_names.begin(), file.other_names.end(), fits);
}

// The plugin files that lie in a folder itself, by name.
std::vector<fs::path> plugins_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    std::error_code unreadable;
    if (it->path().extension() == ".so" && !it->is_directory(unreadable)) found.push_back(it->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Where Python packages keep plugins: kdhost_plugins in `folder`, a package, and in each folder of it, the packages of
// a site-packages.
std::vector<fs::path> package_folders(const fs::path& folder) {
  constexpr const char* kInPackage = "kdhost_plugins";
  std::vector<fs::path> found;
  std::error_code failed;
  const auto add = [&](const fs::path& package) {
    std::error_code unreadable;
    if (fs::is_directory(package / kInPackage, unreadable)) found.push_back(package / kInPackage);
  };
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) add(it->path());
  std::sort(found.begin(), found.end());
  if (fs::is_directory(folder / kInPackage, failed)) found.insert(found.begin(), folder / kInPackage);
  return found;
}

bool offers(const PluginFile& file, const std::string& id) {
  const std::vector<ComponentInfo>& components = file.components();
  return std::any_of(components.begin(), components.end(), [&](const ComponentInfo& c) { return c.id == id; });
}

}  // namespace

std::string origin_words(SearchPlace::Origin origin) {
  switch (origin) {
    case SearchPlace::Origin::experiment:
      return "the experiment";
    case SearchPlace::Origin::command_line:
      return "--plugin-dir";
    case SearchPlace::Origin::environment:
      return "KDHOST_PLUGIN_PATH";
    default:
      return "beside the program";
  }
}

std::vector<SearchPlace> search_places(const Experiment* experiment, const std::vector<std::string>& plugin_dirs,
                                       const char* environment, const fs::path& program_folder) {
  std::vector<SearchPlace> places;
  const auto add = [&](const fs::path& path, SearchPlace::Origin origin, const Place& written = {}) {
    const auto twice = [&](const SearchPlace& p) { return p.path == path; };
    if (std::none_of(places.begin(), places.end(), twice)) places.push_back({path, origin, written});
  };
  if (experiment != nullptr) {
    for (const Path& path : plugin_paths(*experiment)) add(path.value, SearchPlace::Origin::experiment, path.place);
  }
  for (const std::string& folder : plugin_dirs) add(folder, SearchPlace::Origin::command_line);
  std::string_view rest = environment != nullptr ? environment : "";
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (!part.empty()) add(fs::path(part), SearchPlace::Origin::environment);
  }
  add((program_folder / ".." / "lib" / "kdhost" / "plugins").lexically_normal(), SearchPlace::Origin::program);
  return places;
}

const std::vector<ComponentInfo>& PluginFile::components() const {
  static const std::vector<ComponentInfo> none;
  if (library != nullptr) return library->record().components;
  return record ? record->components : none;
}

Registry::Registry(HostAbi host, std::vector<SearchPlace> places) : host_(std::move(host)), places_(std::move(places)) {
  for (std::size_t i = 0; i < places_.size(); ++i) scan(i);
}

void Registry::scan(std::size_t place) {
  const SearchPlace& where = places_[place];
  const bool named =
      where.origin == SearchPlace::Origin::experiment || where.origin == SearchPlace::Origin::command_line;
  std::error_code failed;
  const fs::file_status status = fs::status(where.path, failed);
  if (!fs::exists(status)) {
    if (!named) return;
    const bool in_file = where.origin == SearchPlace::Origin::experiment;
    Message message;
    message.place = where.written;
    message.where = in_file ? "" : "--plugin-dir";
    message.what = kdhost::quoted(where.path.string()) + " does not exist.";
    message.expected = "Expected a plugin file or a folder with plugins.";
    problems_.emplace_back(in_file ? Exit::experiment : Exit::usage, std::move(message));
    return;
  }
  if (!fs::is_directory(status)) {
    add_file(where.path, place, named);
    return;
  }
  std::vector<fs::path> found = plugins_in(where.path);
  if (where.origin == SearchPlace::Origin::environment) {
    for (const fs::path& folder : package_folders(where.path)) {
      const std::vector<fs::path> more = plugins_in(folder);
      found.insert(found.end(), more.begin(), more.end());
    }
  }
  for (const fs::path& path : found) add_file(path, place, false);
}

void Registry::add_file(const fs::path& path, std::size_t place, bool named_outright) {
  for (PluginFile& known : files_) {
    if (!same_file(known.path, path)) continue;
    known.other_names.push_back(path);
    return;
  }
  PluginFile& file = files_.emplace_back();
  file.path = path;
  file.place = place;
  try {
    file.record = read_record(path);
    check_record(*file.record, path, host_);
  } catch (const Error& error) {
    file.refusal = error;
    if (named_outright) problems_.push_back(error.with_context(places_[place].written));
  }
}

bool Registry::can_open(const PluginFile& file) const {
  return host_.can_open && (file.record->tier != KDH_TIER_EXACT || host_.can_open_exact);
}

void Registry::admit(PluginFile& file) {
  if (file.admitted) return;
  // What lies beside the program was installed with it, by somebody who could have replaced the program as well.
  const bool foreign = places_[file.place].origin != SearchPlace::Origin::program;
  if (foreign && host_.admit) host_.admit(file.path);
  file.admitted = true;
}

void Registry::admit_found() {
  for (const Offer& offer : offers_) {
    try {
      admit(*offer.file);
    } catch (const Error& error) {
      throw error.with_context(offer.asked);
    }
  }
}

void Registry::open_file(PluginFile& file) {
  admit(file);
  file.library = &open_library(file.path, *file.record, host_);
}

void Registry::open_unlisted() {
  if (unlisted_opened_) return;
  unlisted_opened_ = true;
  for (PluginFile& file : files_) {
    if (file.refusal || file.record->lists_components) continue;
    if (!can_open(file)) {
      has_unlisted_ = true;
      continue;
    }
    try {
      open_file(file);
    } catch (const Error& error) {
      file.refusal = error;
    }
  }
}

PluginFile* Registry::first_file(const std::string& id, const std::optional<Path>& from) {
  open_unlisted();
  for (PluginFile& file : files_) {
    if (offers(file, id) && (!from || comes_from(file, from->value))) return &file;
  }
  return nullptr;
}

bool Registry::undecided(const std::string& id) { return first_file(id, {}) == nullptr && has_unlisted_; }

Offer& Registry::find(const std::string& id, kdh_kind kind, const Place& place, const std::optional<Path>& from) {
  return find_any(id, kind, place, from);
}

Offer& Registry::find(const std::string& id, const Place& place) { return find_any(id, {}, place, {}); }

Offer& Registry::load(const std::string& id, kdh_kind kind, const Place& place, const std::optional<Path>& from) {
  Offer& offer = find_any(id, kind, place, from);
  open(offer);
  return offer;
}

Offer& Registry::find_any(const std::string& id, std::optional<kdh_kind> kind, const Place& place,
                          const std::optional<Path>& from) {
  PluginFile* file = first_file(id, from);
  if (file == nullptr) refuse_unknown(id, kind, place, from);
  if (const PluginFile* other = clash(*file, id); other != nullptr && (!from || comes_from(*other, from->value))) {
    Message message;
    message.place = place;
    message.what = kdhost::quoted(id) + " is offered twice in one search place: by " +
                   printable(file->path.string(), 4096) + " and by " + printable(other->path.string(), 4096) + ".";
    message.expected = "An id is unique within a search place.";
    message.mend = "Remove one of the two files.";
    throw Error(Exit::plugin, std::move(message));
  }
  if (file->refusal) throw file->refusal->with_context(place);

  const auto known =
      std::find_if(offers_.begin(), offers_.end(), [&](const Offer& o) { return o.file == file && o.info.id == id; });
  Offer* offer = known != offers_.end() ? &*known : nullptr;
  if (offer == nullptr) {
    offer = &offers_.emplace_back();
    offer->file = file;
    offer->asked = place;
    for (const ComponentInfo& component : file->components()) {
      if (component.id == id) offer->info = component;
    }
  }
  if (kind && offer->info.kind != *kind) {
    Message message;
    message.place = place;
    message.what = kdhost::quoted(id) + " is " + kind_words(offer->info.kind) + ", expected " + kind_words(*kind) + ".";
    const std::vector<std::string> fitting = ids(kind);
    message.expected = fitting.empty() ? "No plugin offers " + kind_words(*kind) + "."
                                       : "Known " + plural(*kind) + ": " + listed(fitting, id) + ".";
    throw Error(Exit::experiment, std::move(message));
  }
  // A record without room for parameters and ports leaves the live description to ask.
  if (!offer->info.complete && can_open(*file)) open(*offer);
  return *offer;
}

const kdh_component& Registry::open(Offer& offer) {
  if (offer.component == nullptr) {
    try {
      open_file(*offer.file);
    } catch (const Error& error) {
      throw error.with_context(offer.asked);
    }
    offer.component = offer.file->library->component(offer.info.id);
    offer.info = *offer.file->library->record().component(offer.info.id);
  }
  return *offer.component;
}

void Registry::refuse_unknown(const std::string& id, std::optional<kdh_kind> kind, const Place& place,
                              const std::optional<Path>& from) const {
  Message message;
  message.place = place;
  message.what = "no plugin offers " + kdhost::quoted(id) + ".";
  if (from) {
    std::vector<std::string> offered;
    for (const PluginFile& file : files_) {
      if (!comes_from(file, from->value)) continue;
      for (const ComponentInfo& component : file.components()) offered.push_back(component.id);
    }
    message.what = kdhost::quoted(from->value) + " does not offer " + kdhost::quoted(id) + ".";
    message.expected = offered.empty() ? "It offers nothing." : "It offers: " + listed(offered, id) + ".";
    message.mend = did_you_mean(id, offered);
    throw Error(Exit::experiment, std::move(message));
  }
  const std::vector<std::string> fitting = ids(kind);
  if (ids().empty()) {
    std::vector<std::string> looked;
    for (const SearchPlace& p : places_) looked.push_back(printable(p.path.string(), 4096));
    message.expected = "No plugin was found in: " + join(looked) + ".";
  } else if (fitting.empty()) {
    message.expected = "No plugin offers " + kind_words(*kind) + ".";
  } else {
    message.expected = "Known " + (kind ? plural(*kind) : std::string("components")) + ": " + listed(fitting, id) + ".";
  }
  message.mend = did_you_mean(id, fitting);
  if (message.mend.empty()) message.mend = did_you_mean(id, ids());
  const std::string author = id.substr(0, id.find('.') + 1);
  const std::vector<std::string> all = ids();
  if (!all.empty() &&
      std::none_of(all.begin(), all.end(), [&](const std::string& other) { return other.rfind(author, 0) == 0; }))
    message.mend += std::string(message.mend.empty() ? "" : " ") +
                    "A plugin of your own is found by plugins = [\"FILE or FOLDER\"] or --plugin-dir.";
  const auto silent = std::count_if(files_.begin(), files_.end(),
                                    [](const PluginFile& file) { return file.refusal && file.components().empty(); });
  if (silent > 0) {
    message.mend += std::string(message.mend.empty() ? "" : " ") + std::to_string(silent) + " plugin file" +
                    (silent == 1 ? "" : "s") + " could not be used and may offer it: see `kdhost plugins`.";
  }
  throw Error(Exit::experiment, std::move(message));
}

std::vector<std::string> Registry::ids(std::optional<kdh_kind> kind) const {
  std::vector<std::string> out;
  for (const PluginFile& file : files_) {
    if (file.refusal) continue;
    for (const ComponentInfo& component : file.components()) {
      if (!kind || component.kind == *kind) out.push_back(component.id);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

const PluginFile* Registry::shadowed_by(const PluginFile& file, const std::string& id) const {
  for (const PluginFile& other : files_) {
    if (offers(other, id)) return other.place == file.place ? nullptr : &other;
  }
  return nullptr;
}

const PluginFile* Registry::clash(const PluginFile& file, const std::string& id) const {
  for (const PluginFile& other : files_) {
    if (&other != &file && other.place == file.place && offers(other, id)) return &other;
  }
  return nullptr;
}

std::string plugin_hash(const PluginFile& file) { return hash_file(file.path.string()).hex(); }

}  // namespace kdhost
