#include "pkg/model/presets.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

#include "pkg/model/names.h"
#include "pkg/net/port_set.h"

namespace fairlead::model {
namespace {

// §15.1 of the guide, copied by hand a second time.
constexpr std::pair<absl::string_view, absl::string_view> kGuide[] = {
    {"Brother", "5026,5027"},
    {"Desktop Interface", "5558"},
    {"Develop", "5014-5019,5021,5022"},
    {"End User Interface Payment System", "8080,8443"},
    {"Epson", "80,443,5021-5024"},
    {"FlexiSpooler server / client (non-)spooling", "80,443,515,631,5559,9100"},
    {"Fuji Xerox", "5011-5013,5021,5022,5029"},
    {"HP", "443,5021,5022,5025,7627,57627"},
    {"Konica Minolta", "80,443,5014-5019,5021,5022,50001,50003"},
    {"Lexmark", "5021,5022"},
    {"Mobile Integration Gateway", "5559"},
    {"Mobile Print Server", "5559"},
    {"Mobile terminal (Android, iPhone, Windows, generic)", "5021,5022"},
    {"OKI", "389,636,5011,5012"},
    {"Olivetti", "5014-5019,5021,5022"},
    {"Other application LPR printing, e.g. SAP", "515"},
    {"Ricoh", "5011,5012,5021,5022,64098"},
    {"SafeQ Client", "9100"},
    {"Samsung", "80,5013"},
    {"Sharp", "5011,5012,5021,5022"},
    {"SPM payment machine", "4196-4199"},
    {"Terminal Professional (TPv3.5)", "4096,5011,5021,5022"},
    {"Terminal Professional (TP4)", "5021,5022"},
    {"Terminal Ultralight", "4096"},
    {"Toshiba", "389,636,5011,5012,5021,5022,49629,49630"},
    {"User/LPD Windows Spooler", "515"},
    {"Xerox", "80,161,443,389,636,5011,5012,5021,5022"},
};

TEST(PresetsTest, HoldEveryRowOfTheGuideInItsOrder) {
  ASSERT_EQ(AllPresets().size(), 27u);
  ASSERT_EQ(AllPresets().size(), std::size(kGuide));
  for (size_t i = 0; i < std::size(kGuide); ++i) {
    EXPECT_EQ(AllPresets()[i].vendor, kGuide[i].first);
    EXPECT_EQ(AllPresets()[i].ports, kGuide[i].second);
  }
}

TEST(PresetsTest, EveryPortListParses) {
  for (const Preset& preset : AllPresets()) {
    EXPECT_TRUE(net::PortSet::Parse(preset.ports).ok()) << preset.slug;
  }
}

TEST(PresetsTest, SlugsAreDistinctNames) {
  std::set<absl::string_view> slugs;
  for (const Preset& preset : AllPresets()) {
    EXPECT_EQ(NameProblem(preset.slug), "") << preset.slug;
    EXPECT_TRUE(slugs.insert(preset.slug).second) << preset.slug;
    EXPECT_EQ(FindPreset(preset.slug), &preset);
  }
}

TEST(PresetsTest, OnlyKonicaMinoltaHasTheCheckPortOfTheGuide) {
  for (const Preset& preset : AllPresets()) {
    EXPECT_EQ(preset.health_check_port, preset.slug == "konica-minolta" ? 5122 : 0) << preset.slug;
  }
}

TEST(PresetsTest, UnknownSlugIsNull) {
  EXPECT_EQ(FindPreset("konica"), nullptr);
  EXPECT_EQ(FindPreset(""), nullptr);
  EXPECT_EQ(FindPreset("HP"), nullptr);
}

}  // namespace
}  // namespace fairlead::model
