// SPDX-License-Identifier: MIT
// Finds components. The registry looks through the search places once, reading records only, and opens a library
// when one of its components is first asked for. It is made at the start of a command, from the experiment's
// `plugins`, --plugin-dir, KDHOST_PLUGIN_PATH and the program's own plugin folder, in this order.
#pragma once

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/experiment.hpp"
#include "plugin/library.hpp"
#include "plugin/record.hpp"

namespace kdhost {

/// A file or folder that is searched for plugins. Earlier places shadow later ones.
struct SearchPlace {
  enum class Origin { experiment, command_line, environment, program };
  std::filesystem::path path{};
  Origin origin = Origin::program;
  /// Where an experiment names it.
  Place written{};
};

/// "the experiment", "--plugin-dir", "KDHOST_PLUGIN_PATH", "beside the program".
std::string origin_words(SearchPlace::Origin origin);

/// The search places of a command. `environment` is the value of KDHOST_PLUGIN_PATH (folders joined by ':', may be
/// null), each of which may also be a Python package or a folder of packages: their folders `kdhost_plugins` belong to
/// the place. `program_folder` holds the running program, whose plugins lie in ../lib/kdhost/plugins.
std::vector<SearchPlace> search_places(const Experiment* experiment, const std::vector<std::string>& plugin_dirs,
                                       const char* environment, const std::filesystem::path& program_folder);

/// One plugin file that was found.
struct PluginFile {
  std::filesystem::path path{};
  /// Index into Registry::places().
  std::size_t place = 0;
  /// What its record says; absent where it could not be read.
  std::optional<Record> record{};
  /// Why this host does not take it; absent where it does.
  std::optional<Error> refusal{};
  /// Other names of the same file (links), in the order found.
  std::vector<std::filesystem::path> other_names{};
  /// Set once opened.
  const Library* library = nullptr;
  /// HostAbi::admit has let it pass, or it needs no leave.
  bool admitted = false;

  /// What is known of its components: from the live description where open, else from the record.
  const std::vector<ComponentInfo>& components() const;
};

/// A component that was found and may be used.
struct Offer {
  PluginFile* file = nullptr;
  ComponentInfo info{};
  /// Live description; null until opened.
  const kdh_component* component = nullptr;
  /// Where it was asked for first.
  Place asked{};
};

/// All plugins of a command. Objects handed out live as long as the registry, libraries as long as the process.
class Registry {
 public:
  /// Searches the places, reading records only. Never throws for what it finds: see problems().
  Registry(HostAbi host, std::vector<SearchPlace> places);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  const HostAbi& host() const { return host_; }
  const std::vector<SearchPlace>& places() const { return places_; }
  /// In search order, within a folder by name; folders of Python packages after the place itself.
  const std::deque<PluginFile>& files() const { return files_; }
  /// Places the user named that do not exist (exit 3 from an experiment, 2 from the command line), and files named
  /// outright that this host refuses (exit 5). A folder may hold refused files: they matter when one of their ids is
  /// used.
  const std::vector<Error>& problems() const { return problems_; }

  /// The component `id`, known from its record; opens its library only where the record does not tell enough. `from`
  /// limits the search to one file or folder (a component's `path`). Errors: unknown id (exit 3, at `place`, with the
  /// nearest name), offered by a refused file or twice in one place (exit 5), of another kind (exit 3).
  Offer& find(const std::string& id, kdh_kind kind, const Place& place, const std::optional<Path>& from = {});
  /// The same for any kind: `kdhost describe`.
  Offer& find(const std::string& id, const Place& place);
  /// find() and open() in one: the live component.
  Offer& load(const std::string& id, kdh_kind kind, const Place& place, const std::optional<Path>& from = {});
  /// Opens the library of an offer and gives the live component; its info is then the live one too.
  const kdh_component& open(Offer& offer);

  /// Shows every file of which a component was found to HostAbi::admit, if it has not seen it: what is asked of it may
  /// be possible only before the program computes. Error: that of `admit`, at the place that asked for the component.
  void admit_found();

  /// True where nothing known offers `id`, but a plugin without a list of components, which only another program can
  /// open (one with LibTorch), may do so.
  bool undecided(const std::string& id);

  /// Every id that can be used, sorted; of one kind if given.
  std::vector<std::string> ids(std::optional<kdh_kind> kind = {}) const;
  /// The file of an earlier place that is used for `id` instead of `file`, or null.
  const PluginFile* shadowed_by(const PluginFile& file, const std::string& id) const;
  /// Another file of the same place that offers `id` too, or null.
  const PluginFile* clash(const PluginFile& file, const std::string& id) const;

 private:
  void scan(std::size_t place);
  void add_file(const std::filesystem::path& path, std::size_t place, bool named_outright);
  void open_unlisted();
  bool can_open(const PluginFile& file) const;
  void admit(PluginFile& file);
  void open_file(PluginFile& file);
  PluginFile* first_file(const std::string& id, const std::optional<Path>& from);
  Offer& find_any(const std::string& id, std::optional<kdh_kind> kind, const Place& place,
                  const std::optional<Path>& from);
  [[noreturn]] void refuse_unknown(const std::string& id, std::optional<kdh_kind> kind, const Place& place,
                                   const std::optional<Path>& from) const;

  HostAbi host_;
  std::vector<SearchPlace> places_;
  std::deque<PluginFile> files_;
  std::deque<Offer> offers_;
  std::vector<Error> problems_;
  bool unlisted_opened_ = false;
  bool has_unlisted_ = false;
};

/// XXH3-128 of the plugin file's content in hex, for the manifest.
std::string plugin_hash(const PluginFile& file);

}  // namespace kdhost
